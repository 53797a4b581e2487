import { Api } from '../api/api.js';
import { SPConfig } from '../config/sp-config.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import type { FileLock } from '../store/file-lock.js';
import type { WithLockOptions } from '../store/sp-locked-file.js';
import { SPLockedJSONDB } from '../store/sp-locked-json-db.js';
import { attach } from './attach.js';
import type { Attempt, Host } from './attempts.js';
import { Cluster } from './cluster.js';
import { detach } from './detach.js';
import { Devices } from './devices.js';
import {
  type AttachDBOptions,
  type CallOptions,
  checkCallOptions,
  clientIdOf,
  type DetachOptions,
  resolveAttachOptions,
} from './options.js';
import { checkAttachable, type SyncPlan, wantedBy } from './plan.js';
import type { Attached, Detached, SyncReport } from './report.js';
import { type AttachRequest, type AttachRequestFields, checkReqId, completeRequest } from './request.js';
import { type HostStatus, hostStatus } from './status.js';
import { checkSyncArguments, plan, sync } from './sync.js';

/**
 * The attachment cache of this host, and the calls that bring the cluster in line with it.
 *
 * `attach()` and `detach()` each do in one call what a shim needs. `add()`, `sync()` and `remove()` are the calls of
 * the reference.
 *
 * Reference: `storpool.spopenstack.spattachdb.AttachDB`.
 */
export class AttachDB extends SPLockedJSONDB<AttachRequest> {
  readonly #options: ReturnType<typeof resolveAttachOptions>;
  readonly #devices: Devices;
  #config: SPConfig | undefined;
  #api: Api | undefined;

  /** @throws TypeError when the logger is missing or an option is invalid; {@link SPLockedFileError} `EINVAL` for an option of the lock. */
  constructor(options: AttachDBOptions) {
    super(options?.fname ?? '/var/spool/openstack-storpool/openstack-attach.json', options?.lock);
    this.#options = resolveAttachOptions(options);
    this.#devices = new Devices(this.#options.deviceDir, this.#options.deviceTimeout);
  }

  /**
   * The configuration, read on first use and kept.
   *
   * Reference: `config()`.
   *
   * @throws {@link SPConfigError}
   */
  config(): SPConfig {
    const { config } = this.#options;
    this.#config ??= config instanceof SPConfig ? config : new SPConfig(config);
    return this.#config;
  }

  /**
   * The API client: the injected one, or else one that is made from the configuration on first use and kept.
   *
   * Reference: `api()`.
   *
   * @throws {@link SPConfigError}
   */
  api(): Api {
    // Whoever injects an object with fewer calls knows which ones it has.
    if (this.#options.api !== undefined) return this.#options.api as Api;
    this.#api ??= Api.fromConfig(this.config(), this.#options.apiOptions);
    return this.#api;
  }

  /**
   * The client ID of this host, `SP_OURID` of the configuration.
   *
   * @throws {@link AttachError} `ENOCLIENTID` when it is missing or not a client ID.
   */
  clientId(): number {
    return clientIdOf(this.config());
  }

  /** The path at which the device of an attached volume or snapshot appears. */
  devicePath(volume: string): string {
    return this.#devices.path(volume);
  }

  /**
   * The prefix of the names of all volumes of this OpenStack installation.
   *
   * Reference: `volumePrefix()`.
   */
  volumePrefix(): string {
    return this.config().get('SP_OPENSTACK_VOLUME_PREFIX', 'os');
  }

  /** `PREFIX--volume-ID`. Reference: `volumeName(id)`. */
  volumeName(id: string): string {
    return `${this.volumePrefix()}--volume-${id}`;
  }

  /** `PREFIX--volsnap-ID--req-REQID`. Reference: `volsnapName(id, req_id)`. */
  volsnapName(id: string, reqId: string): string {
    return `${this.volumePrefix()}--volsnap-${id}--req-${reqId}`;
  }

  /** `PREFIX--TYPE--MORE--snapshot-ID`. Reference: `snapshotName(type, id, more=None)`. */
  snapshotName(type: string, id: string, more?: string | null): string {
    return `${this.volumePrefix()}--${type}--${more ?? 'none'}--snapshot-${id}`;
  }

  /**
   * Adds a request to the cache.
   *
   * Reference: `add(key, value)`.
   *
   * A missing `id` or `type` is filled in, because the Python services read them from each entry.
   *
   * A snapshot with rights 2 is accepted, as in the reference. Every `sync()` that should attach it then fails with
   * `ESNAPSHOTRW` until the request is removed.
   *
   * @throws {@link AttachError} `EBADREQUEST` when the request is invalid, or has another `id`.
   */
  override async add(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    options?: WithLockOptions,
  ): Promise<void> {
    await super.add(reqId, completeRequest(reqId, request, 'to be added'), options);
  }

  /**
   * Adds a request to the cache, attaches its volume to this host and waits for the device. It leaves other cached
   * requests alone.
   *
   * It asks the cluster before it writes: what fails before that leaves nothing to undo. After any other error but
   * `ENOVOLUME`, `detach(reqId)` undoes what it has done. If the request was cached before the call, `detach(reqId)`
   * also undoes the earlier call: then somebody may be using the volume, and only a repeated `attach()` is safe.
   *
   * The request gets the members `since` (when this call began) and `global_id`.
   *
   * Reference: `add()` and `sync(req_id, None)` of one driver.
   *
   * @returns where the device is
   * @throws {@link AttachError} `ENOVOLUME` when the cluster has no such volume; the request is then not in the cache.
   * `ENODEVICE` when the device does not appear within `deviceTimeout`; the volume is then attached and the request
   * is cached.
   * `ESNAPSHOTRW`, `EBADREQUEST` (also for a volume without the prefix, and for a request ID that is cached for
   * another volume) and `ENOCLIENTID`, before anything is done. `ETIMEDOUT` when the API does not answer. Also
   * {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   */
  async attach(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    options: CallOptions = {},
  ): Promise<Attached> {
    const { signal } = checkCallOptions('attach()', options);
    const complete = completeRequest(reqId, request, 'to be attached');
    complete.since = new Date().toISOString();
    const wanted = wantedBy(reqId, complete);
    checkAttachable(wanted, this.volumePrefix());
    const host = this.#host(signal);
    const { volume, snapshot, rights } = wanted;
    const context = { reqId, volume, snapshot, rights, clientId: host.clientId };
    return await traced('storpool:attach', context, () => attach(host, reqId, complete));
  }

  /**
   * Detaches the volume of a cached request from this host, and removes the request from the cache in the same hold of
   * the lock. A volume that other cached requests need stays attached.
   *
   * While the volume is open, it retries (`detachRetries`, `detachRetryDelay`), without the lock in between. The
   * last attempt is forced, if `force` allows it. After an error, the request is still in the cache.
   *
   * A volume is found by the global ID of the request, if it has one: it may have another name by now.
   *
   * If somebody calls `attach()` for the same request while it waits, it stops (`renewed`).
   *
   * Reference: `sync(req_id, volume)` and `remove(req_id)` of one driver, with the counting of users that the
   * reference had before 3.0.
   *
   * @returns what became of the volume. An unknown request is not an error, because a driver may disconnect twice.
   * @throws {@link AttachError} `EBUSY` when the volume is open and `force` is `never`, `ENOCLIENTID`, `EBADREQUEST`,
   * `ETIMEDOUT`; {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   */
  async detach(reqId: string, options: DetachOptions = {}): Promise<Detached> {
    const { signal, force = this.#options.force } = checkCallOptions('detach()', options, 'force');
    checkReqId(reqId);
    const host = this.#host(signal);
    const event: DetachEvent = { reqId, clientId: host.clientId };
    return await traced('storpool:detach', event, async () => {
      const detached = await detach(host, reqId, force, event);
      Object.assign(event, detached);
      return detached;
    });
  }

  /**
   * Attaches to this host the volumes that cached requests want and it does not have, drops the requests for volumes
   * that the cluster does not have, and detaches one volume if the caller names one. Then it waits for the devices.
   *
   * A request for a volume that the cluster does not have is not an error: it leaves the cache, and is listed in
   * `staleRequests` of the report. `own` says what became of the caller's own request.
   *
   * While the volume to detach is open, and after a transient failure of the API, it retries, without the lock in
   * between. Inside `withLock()`, it keeps that lock during the pauses. Where attaching takes long, it releases the lock
   * from time to time.
   *
   * Between `sync(reqId, volume)` and `remove(reqId)`, the request is still cached, and a `sync()` of another
   * service may attach the volume again. `detach()` does both in one hold of the lock.
   *
   * Reference: `sync(req_id, detached)`.
   *
   * @param reqId - the request that the call is for
   * @param detached - the volume (or snapshot) that this request no longer needs
   * @throws {@link AttachError}, {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   * An error stops the call; what was done before it stays done.
   */
  async sync(reqId: string, detached?: string | null, options: DetachOptions = {}): Promise<SyncReport> {
    const { signal, force = this.#options.force } = checkCallOptions('sync()', options, 'force');
    checkSyncArguments(reqId, detached);
    return await sync(this.#host(signal), reqId, detached ?? null, force);
  }

  /**
   * What `sync()` would do now. It changes nothing.
   *
   * @throws what `sync()` throws before it changes anything.
   */
  async plan(reqId: string, detached?: string | null, options: CallOptions = {}): Promise<SyncPlan> {
    const { signal } = checkCallOptions('plan()', options);
    checkSyncArguments(reqId, detached);
    return await plan(this.#host(signal), reqId, detached ?? null);
  }

  /**
   * What the cache wants, what is attached to this host, and which devices are there, volume by volume. It changes
   * nothing, and asks the API once, without the lock.
   *
   * If the API does not answer within `apiTimeout` or refuses, there are rows all the same, and its error is in
   * `problems`.
   *
   * @throws {@link AttachError} `ENOCLIENTID`, {@link SPConfigError}, and {@link SPLockedFileError} when the cache cannot
   * be read.
   */
  async status(options: CallOptions = {}): Promise<HostStatus> {
    const host = this.#host(checkCallOptions('status()', options).signal);
    const cluster = this.#cluster(host);
    try {
      const entries = await this.locked((lock) => this.readEntries(lock), { signal: host.signal });
      return await hostStatus(host, entries, cluster);
    } finally {
      cluster.end();
    }
  }

  protected override warn(message: string): void {
    this.#options.log.warn(message);
  }

  /** @throws {@link AttachError} `ENOCLIENTID`; {@link SPConfigError}; the signal's reason */
  #host(signal: AbortSignal | undefined): Host {
    signal?.throwIfAborted();
    const { log, policy } = this.#options;
    const host: Host = {
      fname: this.fname,
      clientId: this.clientId(),
      prefix: this.volumePrefix(),
      devices: this.#devices,
      log,
      policy,
      signal,
      hold: (isLast, attempt) =>
        this.locked((lock) => this.#attempt(host, lock, isLast, attempt), { signal }),
    };
    return host;
  }

  async #attempt<T>(
    host: Host,
    lock: FileLock,
    isLast: boolean,
    attempt: (attempt: Attempt) => Promise<T>,
  ): Promise<T> {
    const cluster = this.#cluster(host, lock);
    try {
      const entries = await this.readEntries(lock);
      const save = () => this.writeEntries(lock, entries);
      return await attempt({ entries, save, cluster, isLast });
    } finally {
      cluster.end();
    }
  }

  #cluster({ clientId, signal }: Host, lock?: FileLock): Cluster {
    const { api, apiTimeout: timeout } = this.#options;
    return new Cluster({ api: this.api(), isOwnClient: api === undefined, clientId, timeout, signal }, lock);
  }
}
