import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import type { AttachmentState } from './plan.js';

/** A volume or snapshot, as far as its existence goes. */
export interface Named {
  /** Its name. */
  name: string;
}

/**
 * The calls that {@link AttachDB} makes: what a test has to mock.
 *
 * `volumeList` and `snapshotList` may be missing; the lists are read instead.
 */
export interface AttachDBApi {
  /** All attachments of the cluster. */
  attachmentsList(options?: ApiCallOptions): Promise<readonly AttachmentState[]>;
  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One volume, in a list; an {@link ApiError} `objectDoesNotExist` if there is none. */
  volumeList?(volume: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One snapshot, in a list; an {@link ApiError} `objectDoesNotExist` if there is none. */
  snapshotList?(snapshot: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** Attaches and detaches: one entry a call. */
  volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<unknown>;
}

/** The last argument of a call: none without a signal, so that mocks see the arguments that matter and no more. */
export const callOptions = (signal: AbortSignal | undefined): [ApiCallOptions?] =>
  signal === undefined ? [] : [{ signal }];
