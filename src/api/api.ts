import { SPConfig } from '../config/sp-config.js';
import { SPConfigError } from '../config/sp-config-error.js';
import { debugOutput } from '../observe/debug.js';
import { type ApiEvent, traced } from '../observe/tracing.js';
import { type ApiCall, CALLS } from './calls.js';
import { cutOutClient } from './client-attachments.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import { checkName } from './names.js';
import {
  asSetting,
  checkAuth,
  checkHost,
  checkNumber,
  checkPort,
  checkSleep,
  checkSource,
  portNumber,
} from './options.js';
import { checkList, readReply } from './reply.js';
import { reassignBody, requestPath, toJson } from './request.js';
import { withRetries } from './retry.js';
import { type HttpReply, send } from './transport.js';
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

const debug = debugOutput('storpool:api');

/** How an {@link Api} reaches the service. Only `auth` must be given. */
export interface ApiOptions {
  /** Default: `'127.0.0.1'`. */
  host?: string | undefined;
  /** Default: `81`. */
  port?: number | undefined;
  /** The authentication token. It shows in no message, log line or inspection. */
  auth: string;
  /** Milliseconds that one request may take, from connecting to the last byte. Default: `300_000`. */
  timeout?: number | undefined;
  /** How often a call is sent again after a transient error. Default: `5`. */
  transientRetries?: number | undefined;
  /**
   * Milliseconds to wait before a retry; `retry` counts from 0.
   * Default: 1000, 2000, 4000, 8000, 16000.
   */
  transientSleep?: ((retry: number) => number) | undefined;
  /** The local address to connect from. Default: the system's choice. */
  source?: string | undefined;
  /** Whether the calls that have a multi-cluster form use it. Default: `false`. */
  multiCluster?: boolean | undefined;
  /** Bytes; a larger reply is an error. Default: `96_000_000`. */
  maxReplySize?: number | undefined;
}

/** What every call takes as its last argument. */
export interface ApiCallOptions {
  /** Have the named remote cluster carry out the call. */
  clusterName?: string | undefined;
  /** Ends the call, its waits and its retries at once; the call throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What {@link Api.attachmentsList} takes. */
export interface AttachmentsListOptions extends ApiCallOptions {
  /** Only the attachments of this client. The service sends all of them, but the others are not kept. */
  client?: number | undefined;
}

/** What {@link Api.call} takes. */
export interface ApiRawCallOptions extends ApiCallOptions {
  /** The argument: the body of a POST, the `json` parameter of a GET. Null members are left out. */
  json?: unknown;
  /** Whether the call has a multi-cluster form. Default: `false`. */
  multiCluster?: boolean | undefined;
}

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
  readonly #host: string;
  readonly #port: number;
  readonly #auth: string;
  readonly #timeout: number;
  readonly #retries: number;
  readonly #delay: (retry: number) => number;
  readonly #source: string | undefined;
  readonly #multiCluster: boolean;
  readonly #maxReplySize: number;

  /** @throws {@link ApiArgumentError} */
  constructor(options: ApiOptions) {
    this.#host = checkHost(options.host ?? '127.0.0.1');
    this.#port = checkPort(options.port ?? 81);
    this.#auth = checkAuth(options.auth);
    this.#timeout = checkNumber('timeout', options.timeout ?? 300_000, 1);
    this.#retries = checkNumber('transientRetries', options.transientRetries ?? 5, 0);
    this.#delay = checkSleep(options.transientSleep ?? ((retry) => 2 ** retry * 1000));
    this.#source = checkSource(options.source);
    this.#multiCluster = options.multiCluster ?? false;
    this.#maxReplySize = checkNumber('maxReplySize', options.maxReplySize ?? 96_000_000, 1);
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

  /** All attachments of the cluster, or those of one client. */
  async attachmentsList(options: AttachmentsListOptions = {}): Promise<Attachment[]> {
    const { client, ...callOptions } = options;
    if (client === undefined) return this.#run(CALLS.attachmentsList, undefined, undefined, callOptions);
    const { method, path, multiCluster, listOf } = CALLS.attachmentsList;
    const all = await this.#send(method, path, { ...callOptions, multiCluster }, ({ status, body }) =>
      status === 200 ? cutOutClient(body, client) : undefined,
    );
    checkList(all, listOf, `${method} ${path}`);
    return (all as Attachment[]).filter((attachment) => attachment.client === client);
  }

  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<Volume[]> {
    return this.#run(CALLS.volumesList, undefined, undefined, options);
  }

  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<Snapshot[]> {
    return this.#run(CALLS.snapshotsList, undefined, undefined, options);
  }

  /** One volume, in a list; {@link ApiError} `objectDoesNotExist` if there is none. */
  volumeList(volume: string, options?: ApiCallOptions): Promise<Volume[]> {
    return this.#run(CALLS.volumeList, volume, undefined, options);
  }

  /** One snapshot, in a list; {@link ApiError} `objectDoesNotExist` if there is none. */
  snapshotList(snapshot: string, options?: ApiCallOptions): Promise<Snapshot[]> {
    return this.#run(CALLS.snapshotList, snapshot, undefined, options);
  }

  /** One volume and how it lies on the disks. */
  volumeInfo(volume: string, options?: ApiCallOptions): Promise<VolumeInfo> {
    return this.#run(CALLS.volumeInfo, volume, undefined, options);
  }

  /** Attaches and detaches; the answer does not wait for the clients. */
  async volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.volumesReassign, undefined, reassignBody(entries), options);
  }

  /** Attaches and detaches; the answer comes once the clients have caught up. */
  async volumesReassignWait(request: ReassignWait, options?: ApiCallOptions): Promise<ApiOk> {
    const body = { ...request, reassign: reassignBody(request.reassign) };
    return this.#run(CALLS.volumesReassignWait, undefined, body, options);
  }

  /** Makes a volume. */
  volumeCreate(volume: VolumeCreate, options?: ApiCallOptions): Promise<VolumeCreated> {
    return this.#run(CALLS.volumeCreate, undefined, volume, options);
  }

  /** Renames, resizes or otherwise changes a volume. */
  volumeUpdate(volume: string, changes: VolumeUpdate, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.volumeUpdate, volume, changes, options);
  }

  /** Puts a volume back to what one of its snapshots holds. */
  volumeRevert(volume: string, revert: VolumeRevert, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.volumeRevert, volume, revert, options);
  }

  /** Deletes a volume. */
  volumeDelete(volume: string, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.volumeDelete, volume, undefined, options);
  }

  /** Makes a snapshot of a volume. */
  snapshotCreate(
    volume: string,
    snapshot: SnapshotCreate = {},
    options?: ApiCallOptions,
  ): Promise<SnapshotCreated> {
    return this.#run(CALLS.snapshotCreate, volume, snapshot, options);
  }

  /** Deletes a snapshot. */
  snapshotDelete(snapshot: string, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.snapshotDelete, snapshot, undefined, options);
  }

  /** Renames or otherwise changes a snapshot. */
  snapshotUpdate(snapshot: string, changes: SnapshotUpdate, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.snapshotUpdate, snapshot, changes, options);
  }

  /** All disks by their IDs. */
  disksList(options?: ApiCallOptions): Promise<Disks> {
    return this.#run(CALLS.disksList, undefined, undefined, options);
  }

  /** All templates. */
  volumeTemplatesList(options?: ApiCallOptions): Promise<VolumeTemplate[]> {
    return this.#run(CALLS.volumeTemplatesList, undefined, undefined, options);
  }

  /** The iSCSI configuration. */
  iSCSIConfig(options?: ApiCallOptions): Promise<ISCSIConfig> {
    return this.#run(CALLS.iSCSIConfig, undefined, undefined, options);
  }

  /** Changes the iSCSI configuration: all of the commands, in their order, or none. */
  iSCSIConfigChange(change: ISCSIConfigChange, options?: ApiCallOptions): Promise<ApiOk> {
    return this.#run(CALLS.iSCSIConfigChange, undefined, change, options);
  }

  /**
   * Any other call of the API.
   *
   * @param path - what follows `/ctrl/1.0/` (and the cluster), as `VolumeGetInfo/NAME`
   * @returns the `data` of the reply, unchecked
   */
  async call(method: 'GET' | 'POST', path: string, options: ApiRawCallOptions = {}): Promise<unknown> {
    return this.#send(method, path, options, () => undefined);
  }

  /** @param readFast - may give the data of a reply without parsing all of it; `undefined` where it cannot */
  async #send(
    method: 'GET' | 'POST',
    path: string,
    options: ApiRawCallOptions,
    readFast: (reply: HttpReply) => unknown,
  ): Promise<unknown> {
    const { json, multiCluster = false, clusterName, signal } = options;
    if (method !== 'GET' && method !== 'POST') {
      throw new ApiArgumentError(`${String(method)} is not a method of the API: use GET or POST`);
    }
    signal?.throwIfAborted();
    let target = requestPath({ path, multiCluster: multiCluster && this.#multiCluster, clusterName });
    const what = `${method} ${path}`;
    const text = json === undefined || json === null ? undefined : toJson(json);
    if (method === 'GET' && text !== undefined) target += `?json=${encodeURIComponent(text)}`;
    const request = {
      host: this.#host,
      port: this.#port,
      source: this.#source,
      method,
      path: target,
      headers: { Authorization: `Storpool v1:${this.#auth}` },
      body: method === 'POST' ? text : undefined,
      timeout: this.#timeout,
      maxReplySize: this.#maxReplySize,
      signal,
    };
    const attempt = () => {
      const context: ApiEvent = { method, path };
      return traced('storpool:api', context, async () => {
        const reply = await send(request);
        context.bytes = reply.body.length;
        return readFast(reply) ?? readReply(reply, what, this.#auth, `${this.#host}:${this.#port}`);
      });
    };
    return withRetries(
      attempt,
      { retries: this.#retries, delay: this.#delay },
      (error, retry, wait) =>
        debug('%s; retry %d of %d in %d ms', (error as Error).message, retry + 1, this.#retries, wait),
      signal,
    );
  }

  async #run<T>(
    call: ApiCall,
    name: string | undefined,
    json: unknown,
    options: ApiCallOptions | undefined,
  ): Promise<T> {
    const path = call.name === undefined ? call.path : `${call.path}/${checkName(call.name, name)}`;
    const data = await this.call(call.method, path, { ...options, json, multiCluster: call.multiCluster });
    if (call.listOf !== undefined) checkList(data, call.listOf, `${call.method} ${path}`);
    return data as T;
  }
}
