import { join } from 'node:path';
import { Api } from '../api/api.js';
import { SPConfig } from '../config/sp-config.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { checkDepth } from '../store/content.js';
import { runInHold } from '../store/reentrancy.js';
import type { WithLockOptions } from '../store/sp-locked-file.js';
import { SPLockedJSONDB } from '../store/sp-locked-json-db.js';
import { attach } from './attach.js';
import type { Host } from './attempts.js';
import { Cluster, runsOthersCode } from './cluster.js';
import { detach } from './detach.js';
import {
  type AttachDBOptions,
  type CallOptions,
  checkCallOptions,
  clientIdOf,
  type DetachOptions,
  type ResolvedOptions,
  resolveAttachOptions,
} from './options.js';
import { checkAttachable, type SyncPlan, wantedBy } from './plan.js';
import type { Attached, Detached, SyncReport } from './report.js';
import { type AttachRequest, type AttachRequestFields, checkReqId, completeRequest } from './request.js';
import { type HostStatus, hostStatus } from './status.js';
import { plan, sync, syncCall } from './sync.js';

/**
 * The attachment cache of this host, and the calls that bring the cluster in line with it.
 *
 * `attach()` and `detach()` do what a shim needs in one call each; `add()`, `sync()` and `remove()` are the calls of
 * the reference, `storpool.spopenstack.spattachdb.AttachDB`.
 */
export class AttachDB extends SPLockedJSONDB<AttachRequest> {
  readonly #options: ResolvedOptions;
  #config: SPConfig | undefined;
  #api: Api | undefined;

  /** @throws TypeError for an invalid option; {@link SPLockedFileError} `EINVAL` for one of the lock. */
  constructor(options: AttachDBOptions) {
    super(options?.fname ?? '/var/spool/openstack-storpool/openstack-attach.json', options?.lock);
    this.#options = resolveAttachOptions(options);
  }

  /** The configuration, read on first use and kept. Reference: `config()`. @throws {@link SPConfigError} */
  config(): SPConfig {
    const { config } = this.#options;
    this.#config ??= config instanceof SPConfig ? config : new SPConfig(config);
    return this.#config;
  }

  /** The client: the injected one, or one that is made on first use. Reference: `api()`. @throws {@link SPConfigError} */
  api(): Api {
    // Whoever injects an object with fewer calls knows which ones it has.
    if (this.#options.api !== undefined) return this.#options.api as Api;
    this.#api ??= Api.fromConfig(this.config(), this.#options.apiOptions);
    return this.#api;
  }

  /** `SP_OURID`. @throws {@link AttachError} `ENOCLIENTID` when it is missing or not a client ID. */
  clientId(): number {
    return clientIdOf(this.config());
  }

  /** The path at which the device of an attached volume or snapshot appears. */
  devicePath(volume: string): string {
    return join(this.#options.deviceDir, volume);
  }

  /** What the names of all volumes of this OpenStack installation begin with. Reference: `volumePrefix()`. */
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
   * Adds a request to the cache; a missing `id` or `type` is filled in. Reference: `add(key, value)`.
   *
   * As in the reference, a snapshot with rights 2 is accepted, and every `sync()` that should attach it fails with
   * `ESNAPSHOTRW` until the request is removed.
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
   * Adds a request to the cache, with the members `since` and `global_id`, attaches its volume to this host and waits
   * for the device. Other cached requests are left alone.
   *
   * It asks the cluster before it writes: what fails before that leaves nothing to undo. After any other error but
   * `ENOVOLUME`, `detach(reqId)` undoes what it has done; if the request was cached before, also what the earlier call
   * has done: then somebody may be using the volume, and only a repeated `attach()` is safe.
   * Reference: `add()` and `sync(req_id, None)` of one driver.
   * @returns where the device is
   * @throws {@link AttachError} `ENOVOLUME`: the cluster has no such volume; the request is then not in the cache.
   * `ENODEVICE`: the device does not appear within `deviceTimeout`; the volume is attached and the request cached.
   * `ESNAPSHOTRW`, `ENOCLIENTID` and `EBADREQUEST` (also for a volume without the prefix, and a request ID that is
   * cached for another volume), before anything is done. `ETIMEDOUT`: the API does not answer. Also
   * {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   */
  async attach(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    options: CallOptions = {},
  ): Promise<Attached> {
    const { signal } = checkCallOptions('attach()', options);
    const complete = completeRequest(reqId, request, 'to be attached');
    checkDepth(complete, `the request ${reqId}`);
    complete.since = new Date().toISOString();
    const wanted = wantedBy(reqId, complete);
    checkAttachable(wanted, this.volumePrefix());
    const host = this.#host(signal);
    const { volume, snapshot, rights } = wanted;
    const context = { reqId, volume, snapshot, rights, clientId: host.clientId };
    return await traced('storpool:attach', context, () => attach(host, reqId, complete));
  }

  /**
   * Detaches the volume of a cached request from this host, by whatever name it has now, and removes the request from
   * the cache in the same hold of the lock. A volume that other cached requests need stays attached.
   *
   * While the volume is open, it retries, without the lock in between; the last attempt is forced, if `force` allows
   * it. If somebody calls `attach()` for the same request meanwhile, it stops (`renewed`). After an error, the request
   * is still in the cache. An unknown request is no error, because a driver may disconnect twice.
   * Reference: `sync(req_id, volume)` and `remove(req_id)` of one driver, with the counting of users of before 3.0.
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
   * The lock is released for each pause (while the volume is open, after a transient failure), and where attaching takes
   * long. Until `remove(reqId)`, a `sync()` of another service may attach the volume again: `detach()` does both at once.
   * Reference: `sync(req_id, detached)`.
   * @param reqId - the request that the call is for
   * @param detached - the volume (or snapshot) that this request no longer needs
   * @throws {@link AttachError}, {@link SPLockedFileError}, {@link SPConfigError} and what the API throws.
   * What was done before stays done.
   */
  async sync(reqId: string, detached?: string | null, options: DetachOptions = {}): Promise<SyncReport> {
    const { signal, force = this.#options.force } = checkCallOptions('sync()', options, 'force');
    return await sync(this.#host(signal), syncCall(reqId, detached), force);
  }

  /** What `sync()` would do now. It changes nothing. @throws as `sync()` before it changes anything */
  async plan(reqId: string, detached?: string | null, options: CallOptions = {}): Promise<SyncPlan> {
    const { signal } = checkCallOptions('plan()', options);
    return await plan(this.#host(signal), syncCall(reqId, detached));
  }

  /**
   * What the cache wants, what is attached to this host, and which devices are there, volume by volume. It changes
   * nothing, and asks the API without the lock. If that does not answer within `apiTimeout` or refuses, there are rows
   * all the same, and its error is in `problems`.
   * @throws {@link AttachError} `ENOCLIENTID`, {@link SPConfigError}, {@link SPLockedFileError}
   */
  async status(options: CallOptions = {}): Promise<HostStatus> {
    const host = this.#host(checkCallOptions('status()', options).signal);
    const entries = await this.locked((lock) => this.readEntries(lock), { signal: host.signal });
    return await hostStatus(host, entries);
  }

  protected override warn(message: string): void {
    this.#options.log.warn(message);
  }

  /** @throws {@link AttachError} `ENOCLIENTID`; {@link SPConfigError}; the signal's reason */
  #host(signal: AbortSignal | undefined): Host {
    signal?.throwIfAborted();
    const host: Host = {
      ...this.#options,
      clientId: this.clientId(),
      prefix: this.volumePrefix(),
      fname: this.fname,
      api: this.api(),
      isOwnClient: this.#options.api === undefined,
      signal,
      hold: (isLast, attempt) =>
        this.locked(
          (lock) => {
            const work = async () => {
              const cluster = new Cluster(host, lock);
              const entries = await this.readEntries(lock);
              const save = () => this.writeEntries(lock, entries);
              return await attempt({ entries, save, cluster, isLast });
            };
            // Others' code may use this object.
            return runsOthersCode(host.api) ? runInHold(this, lock, work) : work();
          },
          { signal },
        ),
    };
    return host;
  }
}
