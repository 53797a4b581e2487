import type { ApiCallOptions } from './api/api.js';
import type { ReassignEntry } from './api/types.js';
import type { AttachmentState } from './sync-plan.js';

/**
 * The calls that {@link AttachDB} makes: what a test has to mock.
 *
 * `volumeList` and `snapshotList` may be missing; the lists are read instead.
 */
export interface AttachDBApi {
  attachmentsList(options?: ApiCallOptions): Promise<readonly AttachmentState[]>;
  volumesList(options?: ApiCallOptions): Promise<readonly { name: string }[]>;
  snapshotsList(options?: ApiCallOptions): Promise<readonly { name: string }[]>;
  volumeList?(volume: string, options?: ApiCallOptions): Promise<readonly { name: string }[]>;
  snapshotList?(snapshot: string, options?: ApiCallOptions): Promise<readonly { name: string }[]>;
  volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<unknown>;
}

/** The last argument of a call: none without a signal, so that mocks see the arguments that matter and no more. */
export const callOptions = (signal: AbortSignal | undefined): [ApiCallOptions?] =>
  signal === undefined ? [] : [{ signal }];
