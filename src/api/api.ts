import { SPConfig } from '../config/sp-config.js';
import { SPConfigError } from '../config/sp-config-error.js';
import { type ApiCall, CALLS } from './calls.js';
import { checkName } from './names.js';
import {
  type ApiCallOptions,
  type ApiOptions,
  type ApiRawCallOptions,
  asSetting,
  checkAuth,
  checkHost,
  portNumber,
} from './options.js';
import { checkList } from './reply.js';
import { reassignBody } from './request.js';
import { Service } from './service.js';
import type {
  ApiOk,
  Attachment,
  Disks,
  ISCSIConfig,
  ISCSIConfigChange,
  ReassignEntry,
  ReassignWait,
  Snapshot,
  SnapshotCreate,
  SnapshotCreated,
  SnapshotUpdate,
  Volume,
  VolumeCreate,
  VolumeCreated,
  VolumeInfo,
  VolumeRevert,
  VolumeTemplate,
  VolumeUpdate,
} from './types.js';

/**
 * A thin client of the StorPool API: one HTTP request a call, sent again after transient errors.
 *
 * Every call throws {@link ApiError} when the service refuses, {@link ApiResponseError} when what answers
 * is not the service, {@link ApiConnectionError} when nothing answers and {@link ApiArgumentError} for what
 * must not be sent.
 *
 * Reference: `storpool.spapi.Api`.
 */
export class Api {
  readonly #service: Service;

  /** @throws {@link ApiArgumentError} */
  constructor(options: ApiOptions) {
    this.#service = new Service(options);
  }

  /**
   * A client made from `SP_API_HTTP_HOST`, `SP_API_HTTP_PORT` and `SP_AUTH_TOKEN`.
   *
   * Reference: `Api.fromConfig(cfg, **kwargs)`.
   *
   * @param config - default: this host's configuration
   * @param options - beat the configuration
   * @throws {@link SPConfigError} naming the setting that is missing or unusable.
   */
  static fromConfig(config: SPConfig = new SPConfig(), options: Partial<ApiOptions> = {}): Api {
    const auth = options.auth ?? config.require('SP_AUTH_TOKEN');
    if (auth === '') {
      throw new SPConfigError("SP_AUTH_TOKEN is empty: set it to the cluster's authentication token");
    }
    const port = options.port ?? portNumber(config.require('SP_API_HTTP_PORT'));
    const host = options.host ?? config.require('SP_API_HTTP_HOST');
    if (options.auth === undefined) asSetting('SP_AUTH_TOKEN', () => checkAuth(auth));
    if (options.host === undefined) asSetting('SP_API_HTTP_HOST', () => checkHost(host));
    return new Api({ ...options, host, port, auth });
  }

  /** All attachments of the cluster. */
  attachmentsList(options?: ApiCallOptions): Promise<Attachment[]> {
    return this.#run('attachmentsList', { options });
  }

  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<Volume[]> {
    return this.#run('volumesList', { options });
  }

  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<Snapshot[]> {
    return this.#run('snapshotsList', { options });
  }

  /** One volume, in a list; {@link ApiError} `objectDoesNotExist` if there is none. */
  volumeList(volume: string, options?: ApiCallOptions): Promise<Volume[]> {
    return this.#run('volumeList', { name: volume, options });
  }

  /** One snapshot, in a list; {@link ApiError} `objectDoesNotExist` if there is none. */
  snapshotList(snapshot: string, options?: ApiCallOptions): Promise<Snapshot[]> {
    return this.#run('snapshotList', { name: snapshot, options });
  }

  /** One volume and how it lies on the disks. */
  volumeInfo(volume: string, options?: ApiCallOptions): Promise<VolumeInfo> {
    return this.#run('volumeInfo', { name: volume, options });
  }

  /** Attaches and detaches; the answer does not wait for the clients. */
  async volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('volumesReassign', { json: reassignBody(entries), options });
  }

  /** Attaches and detaches; the answer comes once the clients have caught up. */
  async volumesReassignWait(request: ReassignWait, options?: ApiCallOptions): Promise<ApiOk> {
    const body = { ...request, reassign: reassignBody(request.reassign) };
    return this.#run('volumesReassignWait', { json: body, options });
  }

  /** Makes a volume. */
  volumeCreate(volume: VolumeCreate, options?: ApiCallOptions): Promise<VolumeCreated> {
    return this.#run('volumeCreate', { json: volume, options });
  }

  /** Renames, resizes or otherwise changes a volume. */
  volumeUpdate(volume: string, changes: VolumeUpdate, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('volumeUpdate', { name: volume, json: changes, options });
  }

  /** Puts a volume back to what one of its snapshots holds. */
  volumeRevert(volume: string, revert: VolumeRevert, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('volumeRevert', { name: volume, json: revert, options });
  }

  /** Deletes a volume. */
  volumeDelete(volume: string, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('volumeDelete', { name: volume, options });
  }

  /** Makes a snapshot of a volume. */
  snapshotCreate(
    volume: string,
    snapshot: SnapshotCreate = {},
    options?: ApiCallOptions,
  ): Promise<SnapshotCreated> {
    return this.#run('snapshotCreate', { name: volume, json: snapshot, options });
  }

  /** Deletes a snapshot. */
  snapshotDelete(snapshot: string, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('snapshotDelete', { name: snapshot, options });
  }

  /** Renames or otherwise changes a snapshot. */
  snapshotUpdate(snapshot: string, changes: SnapshotUpdate, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('snapshotUpdate', { name: snapshot, json: changes, options });
  }

  /** All disks by their IDs. */
  disksList(options?: ApiCallOptions): Promise<Disks> {
    return this.#run('disksList', { options });
  }

  /** All templates. */
  volumeTemplatesList(options?: ApiCallOptions): Promise<VolumeTemplate[]> {
    return this.#run('volumeTemplatesList', { options });
  }

  /** The iSCSI configuration. */
  iSCSIConfig(options?: ApiCallOptions): Promise<ISCSIConfig> {
    return this.#run('iSCSIConfig', { options });
  }

  /** Changes the iSCSI configuration: all of the commands, in their order, or none. */
  iSCSIConfigChange(change: ISCSIConfigChange, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run('iSCSIConfigChange', { json: change, options });
  }

  /**
   * Any other call of the API.
   *
   * @param path - what follows `/ctrl/1.0/` (and the cluster), as `VolumeGetInfo/NAME`
   * @returns the `data` of the reply, unchecked
   */
  async call(method: 'GET' | 'POST', path: string, options: ApiRawCallOptions = {}): Promise<unknown> {
    return this.#service.call(method, path, options);
  }

  /** One of the declared calls. */
  async #run<T>(call: keyof typeof CALLS, { name, json, options }: Arguments): Promise<T> {
    const { method, path, name: kind, multiCluster, listOf }: ApiCall = CALLS[call];
    const whole = kind === undefined ? path : `${path}/${checkName(kind, name)}`;
    const data = await this.#service.call(method, whole, { ...options, json, multiCluster });
    if (listOf !== undefined) checkList(data, listOf, `${method} ${whole}`);
    return data as T;
  }
}

/** What a declared call is made with. */
interface Arguments {
  /** The object whose name ends the path. */
  name?: string;
  /** The body of a POST. */
  json?: unknown;
  options: ApiCallOptions | undefined;
}
