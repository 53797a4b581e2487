import { Api } from '../api/api.js';
import { isClientId } from '../api/names.js';
import { SPConfig, type SPConfigOptions } from '../config/sp-config.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { warnOnce } from '../observe/warn-once.js';
import type { WithLockOptions } from '../store/sp-locked-file.js';
import { SPLockedJSONDB } from '../store/sp-locked-json-db.js';
import { AttachError } from './attach-error.js';
import {
  AttachProgress,
  type Attempt,
  attachOnce,
  detachOnce,
  planSync,
  SyncProgress,
  syncOnce,
} from './carry-out.js';
import { Cluster, KnownAttachments } from './cluster.js';
import { Devices } from './devices.js';
import {
  type AttachDBApi,
  type AttachDBOptions,
  checkCount,
  type Logger,
  type SyncOptions,
  safeLogger,
} from './options.js';
import { checkAttachable, type SyncCall, type SyncPlan, wantedBy } from './plan.js';
import { type Attached, type Detached, reportOf, type SyncReport } from './report.js';
import {
  type AttachRequest,
  type AttachRequestFields,
  checkReqId,
  completeRequest,
  misspelledMembers,
} from './request.js';
import { type AttemptPolicy, inAttempts, type StillOpen } from './retry.js';

/**
 * The attachment cache of this host, and what brings the cluster in line with it.
 *
 * `attach()` and `detach()` do what a shim wants in one call each. `add()`, `sync()` and `remove()` are the calls of
 * the reference.
 *
 * Reference: `storpool.spopenstack.spattachdb.AttachDB`.
 */
export class AttachDB extends SPLockedJSONDB<AttachRequest> {
  readonly #log: Logger;
  readonly #configSource: SPConfigOptions | SPConfig;
  readonly #injected: AttachDBApi | undefined;
  readonly #devices: Devices;
  readonly #policy: AttemptPolicy;
  readonly #forceShared: boolean;
  readonly #known = new WeakMap<object, KnownAttachments>();
  #config: SPConfig | undefined;
  #api: Api | undefined;

  /** @throws TypeError when there is no logger or an option makes no sense. */
  constructor(options: AttachDBOptions) {
    super(options?.fname ?? '/var/spool/openstack-storpool/openstack-attach.json', options?.lock);
    this.#log = safeLogger(options?.log);
    this.#configSource =
      options.overrideConfig === undefined
        ? (options.config ?? {})
        : { overrideConfig: copyOf(options.overrideConfig) };
    this.#injected = options.api;
    this.#devices = new Devices(
      options.deviceDir ?? '/dev/storpool',
      checkCount('deviceTimeout', options.deviceTimeout ?? 10_000),
    );
    this.#policy = {
      openRetries: checkCount('detachRetries', options.detachRetries ?? 10),
      openDelay: checkCount('detachRetryDelay', options.detachRetryDelay ?? 200),
      // An injected api has a policy of its own.
      transientRetries: options.api === undefined ? 5 : 0,
    };
    this.#forceShared = options.forceShared ?? false;
  }

  /**
   * The configuration, read on first use and kept.
   *
   * Reference: `config()`.
   *
   * @throws {@link SPConfigError}
   */
  config(): SPConfig {
    this.#config ??=
      this.#configSource instanceof SPConfig ? this.#configSource : new SPConfig(this.#configSource);
    return this.#config;
  }

  /**
   * The API client, made from the configuration on first use and kept; or the one that was injected.
   *
   * Reference: `api()`.
   *
   * @throws {@link SPConfigError}
   */
  api(): Api {
    // Whoever injects something less knows what it can do.
    if (this.#injected !== undefined) return this.#injected as Api;
    this.#api ??= Api.fromConfig(this.config());
    return this.#api;
  }

  /**
   * This host's client ID, `SP_OURID` of the configuration.
   *
   * @throws {@link AttachError} `ENOCLIENTID` when it is missing or not a client ID.
   */
  clientId(): number {
    const id = this.config().get('SP_OURID', '').trim();
    const clientId = /^\d+$/u.test(id) ? Number(id) : 0;
    if (isClientId(clientId)) return clientId;
    throw new AttachError(
      'ENOCLIENTID',
      `SP_OURID is ${id === '' ? 'not set' : JSON.stringify(id)}: set it to this host's client ID, a number from 1 to 4095, in ${this.config().source}`,
    );
  }

  /** The path at which the device of an attached volume or snapshot appears. */
  devicePath(volume: string): string {
    return this.#devices.path(volume);
  }

  /**
   * What the names of all volumes of this OpenStack begin with.
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
   * Puts a request into the cache.
   *
   * Reference: `add(key, value)`.
   *
   * `id` and `type` are filled in where they are missing, because the Python services read them from each entry.
   *
   * A snapshot with the rights 2 is taken, as in the reference; every `sync()` that comes to it then fails with
   * `ESNAPSHOTRW`, until it is removed.
   *
   * @throws {@link AttachError} `EBADREQUEST` for what is no request, or has the `id` of another.
   */
  override async add(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    options?: WithLockOptions,
  ): Promise<void> {
    await super.add(reqId, this.#complete(reqId, request, 'to be added'), options);
  }

  /**
   * Puts a request into the cache, attaches its volume to this host and waits for the device. Other requests in the
   * cache are left alone.
   *
   * The lock is held for the cache and the cluster, not while it waits. Whatever it throws, `detach(reqId)` takes back
   * what it has done.
   *
   * Reference: `add()` and `sync(req_id, None)` of one driver.
   *
   * @returns where the device is
   * @throws {@link AttachError} `ENOVOLUME` when the cluster has no such volume: the request is then not in the cache.
   * `ENODEVICE` when the device does not appear within `deviceTimeout`: the volume is attached, and the request cached.
   * `ESNAPSHOTRW`, `EBADREQUEST` (also for a volume outside of the prefix, and for a request ID that is cached for
   * another volume) and `ENOCLIENTID`, before anything is done. Besides {@link SPLockedFileError},
   * {@link SPConfigError} and what the API throws.
   */
  async attach(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    { signal }: SyncOptions = {},
  ): Promise<Attached> {
    signal?.throwIfAborted();
    const complete = this.#complete(reqId, request, 'to be attached');
    const wanted = wantedBy(reqId, complete);
    checkAttachable(wanted, this.volumePrefix());
    const { volume, snapshot, rights } = wanted;
    return traced(
      'storpool:attach',
      { reqId, volume, snapshot, rights, clientId: this.clientId() },
      async () => {
        const progress = new AttachProgress();
        const { alreadyAttached } = await this.#attempts(
          `attach(${reqId})`,
          (attempt) => attachOnce(reqId, complete, progress, attempt),
          signal,
        );
        const found = await this.#devices.find([volume], signal);
        if (found.has(volume))
          return { volume, snapshot, rights, device: this.devicePath(volume), alreadyAttached };
        const remedy = `detach(${JSON.stringify(reqId)}) takes it back`;
        throw new AttachError('ENODEVICE', `${this.#devices.missing(volume)} ${remedy}`);
      },
    );
  }

  /**
   * Detaches the volume of a cached request from this host, and removes the request from the cache in the same hold of
   * the lock. A volume that other cached requests need stays attached.
   *
   * While the volume is open it is tried again (`detachRetries`, `detachRetryDelay`), without the lock in between; the
   * last attempt is forced. After an error the request is still in the cache.
   *
   * Reference: `sync(req_id, volume)` and `remove(req_id)` of one driver, with the counting of users that the
   * reference had before 3.0.
   *
   * @returns what became of the volume. An unknown request is no error, because a driver may disconnect twice.
   * @throws {@link AttachError} `ENOCLIENTID`, `EBADREQUEST`; {@link SPLockedFileError}, {@link SPConfigError} and what
   * the API throws.
   */
  async detach(reqId: string, { signal }: SyncOptions = {}): Promise<Detached> {
    signal?.throwIfAborted();
    checkReqId(reqId);
    const context: DetachEvent = { reqId, clientId: this.clientId() };
    return traced('storpool:detach', context, async () => {
      const detached = await this.#attempts(
        `detach(${reqId})`,
        (attempt) => detachOnce(reqId, attempt),
        signal,
      );
      Object.assign(context, detached);
      return detached;
    });
  }

  /**
   * Attaches to this host what the cached requests want and it does not have, drops requests for volumes
   * that the cluster does not have, and detaches one volume if it is named; then waits for the devices.
   *
   * A request for a volume that the cluster does not have is no error: it leaves the cache, and is listed in
   * `staleRequests` of the report. `own` says what became of the call's own request.
   *
   * While the volume to be detached is open, and after a transient failure of the API, the whole is tried again,
   * without the lock in between, and planned anew. Inside of `withLock()` the pauses are under that lock.
   *
   * Between `sync(reqId, volume)` and `remove(reqId)` the request is still cached, and a `sync()` of another
   * service may attach the volume again. `detach()` does both in one hold of the lock.
   *
   * Reference: `sync(req_id, detached)`.
   *
   * @param reqId - the request on whose behalf
   * @param detached - the volume (or snapshot) that this request no longer needs
   * @throws {@link AttachError}, {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   * An error stops the rest; what was done before it stays done.
   */
  async sync(reqId: string, detached?: string | null, { signal }: SyncOptions = {}): Promise<SyncReport> {
    signal?.throwIfAborted();
    const call = syncCall(reqId, detached);
    const progress = new SyncProgress();
    const outcome = await this.#attempts(
      `sync(${reqId})`,
      (attempt) => syncOnce(call, progress, attempt, this.#forceShared),
      signal,
    );
    return reportOf(outcome, this.#devices, this.#log, signal);
  }

  /**
   * What `sync()` would do now. Nothing is changed.
   *
   * @throws what `sync()` throws before it changes anything.
   */
  async plan(reqId: string, detached?: string | null, { signal }: SyncOptions = {}): Promise<SyncPlan> {
    const call = syncCall(reqId, detached);
    const { plan } = await this.#attempts(`plan(${reqId})`, (attempt) => planSync(call, attempt), signal);
    return plan;
  }

  protected override warn(message: string): void {
    this.#log.warn(message);
  }

  #complete(reqId: string, request: unknown, what: string): AttachRequest {
    checkReqId(reqId);
    const complete = completeRequest(reqId, request, what);
    for (const [given, meant] of misspelledMembers(complete)) {
      const message = `A request ${what} has the member ${given}, which means nothing here: is ${meant} meant?`;
      warnOnce((text) => this.warn(text), `member ${given}`, message);
    }
    return complete;
  }

  /** Each attempt takes the lock for itself, and reads the cache and the attachments anew. */
  #attempts<T>(
    what: string,
    run: (attempt: Attempt) => Promise<T | StillOpen>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const host = { clientId: this.clientId(), prefix: this.volumePrefix() };
    const api = this.#injected ?? this.api();
    const options = {
      ...(this.#injected === undefined && { transientRetries: 0 }),
      ...(signal && { signal }),
    };
    const cache = {
      fname: this.fname,
      read: () => this.getShared(),
      put: (reqId: string, request: AttachRequest) => super.add(reqId, request),
      drop: (reqIds: readonly string[]) => this.removeKeys(reqIds),
    };
    const underLock = (isLast: boolean, leave: (reason: unknown) => void) =>
      this.withSharedLock(
        async (hold) => {
          const known = this.#known.get(hold) ?? new KnownAttachments();
          this.#known.set(hold, known);
          const cluster = new Cluster(api, host, known, () => this.checkLock(), options, leave);
          const careful = (await this.restoredNote()) !== undefined;
          return run({ cache, cluster, log: this.#log, isLast, careful });
        },
        { signal, purpose: what },
      );
    const attempt = (isLast: boolean) =>
      new Promise<T | StillOpen>((resolve, reject) => underLock(isLast, reject).then(resolve, reject));
    const warnWaiting = (error: Error) =>
      this.#log.warn(`${what} waits for the API and tries again for up to 31 s: ${error.message}`);
    return inAttempts(attempt, this.#policy, warnWaiting, signal);
  }
}

function syncCall(reqId: string, detached: string | null | undefined): SyncCall {
  checkReqId(reqId);
  if (typeof (detached ?? '') === 'string') return { reqId, detached: detached ?? null };
  throw new TypeError(
    'The second argument of sync() is the name of the volume to detach, or null; the options come third: sync(reqId, null, { signal })',
  );
}

/** What is no object is left for {@link SPConfig} to refuse. */
const copyOf = <T>(settings: T): T =>
  typeof settings === 'object' && !Array.isArray(settings) && settings !== null ? { ...settings } : settings;
