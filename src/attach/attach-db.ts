import { Api } from '../api/api.js';
import { SPConfig } from '../config/sp-config.js';
import { type AttachEvent, type DetachEvent, traced } from '../observe/tracing.js';
import type { WithLockOptions } from '../store/sp-locked-file.js';
import { SPLockedJSONDB } from '../store/sp-locked-json-db.js';
import { AttachError } from './attach-error.js';
import {
  AttachProgress,
  type Attempt,
  attachOnce,
  DetachProgress,
  detachOnce,
  planSync,
  SyncProgress,
  syncOnce,
} from './carry-out.js';
import { Cluster, KnownAttachments } from './cluster.js';
import { Devices } from './devices.js';
import { type AttachDBOptions, checkOptions, clientIdOf, type SyncOptions } from './options.js';
import { checkAttachable, type SyncPlan, syncCall, wantedBy } from './plan.js';
import { type Attached, type Detached, reportOf, type SyncReport } from './report.js';
import { type AttachRequest, type AttachRequestFields, checkReqId, completeRequest } from './request.js';
import { inAttempts, type StillOpen } from './retry.js';

/**
 * The attachment cache of this host, and the calls that bring the cluster in line with it.
 *
 * `attach()` and `detach()` each do in one call what a shim needs. `add()`, `sync()` and `remove()` are the calls of
 * the reference.
 *
 * Reference: `storpool.spopenstack.spattachdb.AttachDB`.
 */
export class AttachDB extends SPLockedJSONDB<AttachRequest> {
  readonly #options: ReturnType<typeof checkOptions>;
  readonly #devices: Devices;
  readonly #known = new WeakMap<object, KnownAttachments>();
  #config: SPConfig | undefined;
  #api: Api | undefined;

  /** @throws TypeError when the logger is missing or an option is invalid; {@link SPLockedFileError} `EINVAL` for an option of the lock. */
  constructor(options: AttachDBOptions) {
    super(options?.fname ?? '/var/spool/openstack-storpool/openstack-attach.json', options?.lock);
    this.#options = checkOptions(options);
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
    this.#api ??= Api.fromConfig(this.config());
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
    await super.add(reqId, completeRequest(reqId, request, 'to be added', this.#options.log), options);
  }

  /**
   * Adds a request to the cache, attaches its volume to this host and waits for the device. It leaves other cached
   * requests alone.
   *
   * It holds the lock for the cache and the cluster, but not while it waits. After `ENOVOLUME`, nothing is
   * left to undo. After any other error, `detach(reqId)` undoes what it has done. If the request was cached before the
   * call, `detach(reqId)` also undoes the earlier call: then somebody may be using the volume, and only a repeated
   * `attach()` is safe.
   *
   * Reference: `add()` and `sync(req_id, None)` of one driver.
   *
   * @returns where the device is
   * @throws {@link AttachError} `ENOVOLUME` when the cluster has no such volume; the request is then not in the cache.
   * `ENODEVICE` when the device does not appear within `deviceTimeout`; the volume is then attached and the request
   * is cached.
   * `ESNAPSHOTRW`, `EBADREQUEST` (also for a volume without the prefix, and for a request ID that is cached for
   * another volume) and `ENOCLIENTID`, before anything is done. Also {@link SPLockedFileError},
   * {@link SPConfigError} and what the API throws.
   */
  async attach(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    { signal }: SyncOptions = {},
  ): Promise<Attached> {
    signal?.throwIfAborted();
    const complete = completeRequest(reqId, request, 'to be attached', this.#options.log);
    const wanted = wantedBy(reqId, complete);
    checkAttachable(wanted, this.volumePrefix());
    const { volume, snapshot, rights } = wanted;
    const context: AttachEvent = { reqId, volume, snapshot, rights, clientId: this.clientId() };
    return traced('storpool:attach', context, async () => {
      const progress = new AttachProgress();
      const { alreadyAttached } = await this.#attempts(
        `attach(${reqId})`,
        (attempt) => attachOnce(reqId, complete, progress, attempt),
        signal,
      );
      const device = this.devicePath(volume);
      const found = await this.#devices.find([volume], signal);
      if (found.has(volume)) return { volume, snapshot, rights, device, alreadyAttached };
      const remedy = alreadyAttached
        ? 'It was attached before this call, so it may be in use'
        : `detach(${JSON.stringify(reqId)}) undoes the attachment`;
      throw new AttachError('ENODEVICE', `${this.#devices.missing(volume)} ${remedy}`);
    });
  }

  /**
   * Detaches the volume of a cached request from this host, and removes the request from the cache in the same hold of
   * the lock. A volume that other cached requests need stays attached.
   *
   * While the volume is open, it retries (`detachRetries`, `detachRetryDelay`), without the lock in between. The
   * last attempt is forced. After an error, the request is still in the cache.
   *
   * Calls for the same request must not overlap: `detach()` undoes an `attach()` that comes during its pauses.
   *
   * Reference: `sync(req_id, volume)` and `remove(req_id)` of one driver, with the counting of users that the
   * reference had before 3.0.
   *
   * @returns what became of the volume. An unknown request is not an error, because a driver may disconnect twice.
   * @throws {@link AttachError} `ENOCLIENTID`, `EBADREQUEST`; {@link SPLockedFileError}, {@link SPConfigError} and what
   * the API throws.
   */
  async detach(reqId: string, { signal }: SyncOptions = {}): Promise<Detached> {
    signal?.throwIfAborted();
    checkReqId(reqId);
    const context: DetachEvent = { reqId, clientId: this.clientId() };
    return traced('storpool:detach', context, async () => {
      const progress = new DetachProgress();
      const detached = await this.#attempts(
        `detach(${reqId})`,
        (attempt) => detachOnce(reqId, progress, attempt),
        signal,
      );
      Object.assign(context, detached);
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
   * While the volume to detach is open, and after a transient failure of the API, it plans anew and retries, without
   * the lock in between. Inside `withLock()`, it keeps that lock during the pauses.
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
  async sync(reqId: string, detached?: string | null, { signal }: SyncOptions = {}): Promise<SyncReport> {
    signal?.throwIfAborted();
    const call = syncCall(reqId, detached);
    const progress = new SyncProgress();
    const outcome = await this.#attempts(
      `sync(${reqId})`,
      (attempt) => syncOnce(call, progress, attempt, this.#options.forceShared),
      signal,
    );
    return reportOf(outcome, this.#devices, this.#options.log, signal);
  }

  /**
   * What `sync()` would do now. It changes nothing.
   *
   * @throws what `sync()` throws before it changes anything.
   */
  async plan(reqId: string, detached?: string | null, { signal }: SyncOptions = {}): Promise<SyncPlan> {
    const call = syncCall(reqId, detached);
    const { plan } = await this.#attempts(`plan(${reqId})`, (attempt) => planSync(call, attempt), signal);
    return plan;
  }

  protected override warn(message: string): void {
    this.#options.log.warn(message);
  }

  /** Each attempt takes the lock, and reads the cache and the attachments again. */
  #attempts<T>(
    what: string,
    run: (attempt: Attempt) => Promise<T | StillOpen>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const host = { clientId: this.clientId(), prefix: this.volumePrefix() };
    const api = this.#options.api ?? this.api();
    const options = {
      ...(this.#options.api === undefined && { transientRetries: 0 }),
      ...(signal && { signal }),
    };
    const cache = {
      fname: this.fname,
      put: (reqId: string, request: AttachRequest) => super.add(reqId, request),
      drop: (reqIds: readonly string[]) => this.removeKeys(reqIds),
    };
    const underLock = (isLast: boolean, leave: (reason: unknown) => void) =>
      this.withSharedLock(
        async (hold) => {
          const known = this.#known.get(hold) ?? new KnownAttachments();
          this.#known.set(hold, known);
          const cluster = new Cluster(api, host, known, () => this.checkLock(), options, leave);
          // This may restore the file from a copy that may be old.
          const entries = await this.getShared();
          const careful = this.restoredNote !== undefined;
          return run({ cache: { ...cache, entries }, cluster, log: this.#options.log, isLast, careful });
        },
        { signal, purpose: what },
      );
    const attempt = (isLast: boolean) =>
      new Promise<T | StillOpen>((resolve, reject) => underLock(isLast, reject).then(resolve, reject));
    const warnWaiting = (error: Error) =>
      this.#options.log.warn(`${what} is waiting for the API and retries for up to 31 s: ${error.message}`);
    return inAttempts(attempt, this.#options.policy, warnWaiting, signal);
  }
}
