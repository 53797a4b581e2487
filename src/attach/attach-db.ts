import { join } from 'node:path';
import { Api } from '../api/api.js';
import { isClientId } from '../api/names.js';
import type { ReassignEntry } from '../api/types.js';
import { SPConfig, type SPConfigOptions } from '../config/sp-config.js';
import { debugOutput } from '../observe/debug.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import type { WithLockOptions } from '../store/sp-locked-file.js';
import { SPLockedJSONDB } from '../store/sp-locked-json-db.js';
import type { AttachDBApi } from './attach-db-api.js';
import { AttachError } from './attach-error.js';
import { Attachments } from './attachments.js';
import { detach } from './detach.js';
import { waitForDevices } from './devices.js';
import { readExistence } from './existing.js';
import type { AttachDBOptions, Logger, SyncOptions } from './options.js';
import {
  type DetachPlan,
  planForUnknown,
  type SyncCall,
  type SyncPlan,
  syncNeeds,
  syncPlan,
  type WantedVolume,
} from './plan.js';
import type { SyncReport } from './report.js';
import { type AttachRequest, type AttachRequestFields, checkRequest } from './request.js';
import { SyncGroup } from './sync-group.js';

const debug = debugOutput('storpool:attachdb');

/** What calls share that share a hold of the lock. */
interface Shared {
  attachments: Attachments;
  inThisHold: <T>(fn: () => Promise<T>) => Promise<T>;
}

/** Sends one entry of a reassignment. */
type Reassign = (entry: ReassignEntry) => Promise<void>;

/**
 * The attachment cache of this host, and what brings the cluster in line with it.
 *
 * Reference: `storpool.spopenstack.spattachdb.AttachDB`.
 */
export class AttachDB extends SPLockedJSONDB<AttachRequest> {
  readonly #log: Logger;
  readonly #configSource: SPConfigOptions | SPConfig;
  readonly #deviceDir: string;
  readonly #deviceTimeout: number;
  readonly #detachRetries: number;
  readonly #detachRetryDelay: number;
  readonly #forceShared: boolean;
  #config: SPConfig | undefined;
  #api: AttachDBApi | undefined;
  /** Those who wait for the lock and can still be joined. */
  #group: SyncGroup<Shared> | undefined;

  /** @throws TypeError when there is no logger or an option makes no sense. */
  constructor(options: AttachDBOptions) {
    super(options.fname ?? '/var/spool/openstack-storpool/openstack-attach.json', options.lock);
    this.#log = checkLogger(options.log);
    this.#configSource =
      options.overrideConfig === undefined
        ? (options.config ?? {})
        : { overrideConfig: copyOf(options.overrideConfig) };
    this.#api = options.api;
    this.#deviceDir = options.deviceDir ?? '/dev/storpool';
    this.#deviceTimeout = checkCount('deviceTimeout', options.deviceTimeout ?? 10_000);
    this.#detachRetries = checkCount('detachRetries', options.detachRetries ?? 10);
    this.#detachRetryDelay = checkCount('detachRetryDelay', options.detachRetryDelay ?? 200);
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
    this.#api ??= Api.fromConfig(this.config());
    // Whoever injects something less knows what it can do.
    return this.#api as Api;
  }

  /**
   * This host's client ID, `SP_OURID` of the configuration.
   *
   * @throws {@link AttachError} `ENOCLIENTID` when it is missing or not a number.
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
    return join(this.#deviceDir, volume);
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
   * A snapshot with the rights 2 is taken, as in the reference; every `sync()` that comes to it then fails with
   * `ESNAPSHOTRW`, until it is removed.
   *
   * @throws {@link AttachError} `EBADREQUEST` for what is no request.
   */
  override async add(
    reqId: string,
    request: AttachRequest | AttachRequestFields,
    options?: WithLockOptions,
  ): Promise<void> {
    await super.add(reqId, checkRequest(reqId, request, 'to be added'), options);
  }

  /**
   * Attaches to this host what the cached requests want and it does not have, drops requests for volumes
   * that are no more, and detaches one volume if it is named; all that under the lock. Then waits for the
   * devices.
   *
   * A request for a volume that the cluster does not have is no error: it leaves the cache, and stands in
   * `staleRequests` of the report.
   *
   * Between `sync(reqId, volume)` and `remove(reqId)` the request is still cached, and a `sync()` of another
   * service may attach the volume again. Hold the lock around both where that matters:
   *
   * ```ts
   * await db.withLock(async () => {
   *   await db.sync(reqId, volume);
   *   await db.remove(reqId);
   * });
   * ```
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
    const call = this.#call(reqId, detached);
    const { plan, outcome } = await this.#underLock(async (attachments) => {
      const plan = await this.#plan(call, attachments, signal);
      if (plan.unknownRequest) {
        this.#log.warn(
          `Request ${reqId} is not in ${this.fname}: ${detached} is left as it is, since nothing is known of who needs it`,
        );
      }
      const reassign = async (entry: ReassignEntry) => {
        // Nothing is changed in the cluster once somebody else may hold the lock.
        await this.checkLock();
        await attachments.reassign(entry, signal);
      };
      for (const wanted of plan.attach) await this.#attach(wanted, call, reassign);
      await this.removeKeys(plan.staleRequests);
      const outcome = await this.#detach(plan.detach, call, reassign, signal);
      return { plan, outcome };
    }, signal);
    const devices = await this.#waitForDevices(plan, outcome.detached, call, signal);
    const attached = plan.attach.map(({ volume, snapshot, rights }) => {
      return { volume, snapshot, rights, device: devices.get(volume) ?? null };
    });
    return { attached, staleRequests: plan.staleRequests, ...outcome };
  }

  /**
   * What `sync()` would do now. Nothing is changed.
   *
   * @throws what `sync()` throws before it changes anything.
   */
  async plan(reqId: string, detached?: string | null, { signal }: SyncOptions = {}): Promise<SyncPlan> {
    const call = this.#call(reqId, detached);
    return this.withLock(() => this.#plan(call, this.#attachments(), signal), { signal });
  }

  /** As in the base class. */
  override withLock<T>(fn: () => T | Promise<T>, options?: WithLockOptions): Promise<T> {
    // Who comes after this call must not get in before it.
    if (!this.holdsLock) this.#group = undefined;
    return super.withLock(fn, options);
  }

  protected override warn(message: string): void {
    this.#log.warn(message);
  }

  #call(reqId: string, detached: string | null | undefined): SyncCall {
    return { reqId, detached: detached ?? null, clientId: this.clientId(), prefix: this.volumePrefix() };
  }

  /**
   * Runs a function under the lock, which all calls that wait for it at that time share, and what is known of the
   * attachments.
   */
  #underLock<T>(fn: (attachments: Attachments) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    if (this.holdsLock) return this.withLock(() => fn(this.#attachments()), { signal });
    this.#group ??= new SyncGroup();
    const group = this.#group;
    const run = () => {
      if (this.#group === group) this.#group = undefined;
      return group.run({ attachments: this.#attachments(), inThisHold: this.shareHold() });
    };
    return group.join(
      ({ attachments, inThisHold }) => inThisHold(() => fn(attachments)),
      (wait) => super.withLock(run, { signal: wait }),
      signal,
    );
  }

  #attachments(): Attachments {
    return new Attachments(() => this.api(), { clientId: this.clientId(), prefix: this.volumePrefix() });
  }

  async #plan(call: SyncCall, attachments: Attachments, signal: AbortSignal | undefined): Promise<SyncPlan> {
    const cached = await this.getShared();
    if (!Object.hasOwn(cached, call.reqId)) {
      if (call.detached !== null) return planForUnknown();
      throw new AttachError(
        'EUNKNOWNREQUEST',
        `Request ${call.reqId} is not in ${this.fname}: add() it before sync()`,
      );
    }
    const requests = new Map(
      Object.entries(cached).map(([id, request]) => [id, checkRequest(id, request, `in ${this.fname}`)]),
    );
    const needs = syncNeeds(requests, await attachments.read(signal), call);
    const plan = syncPlan(needs, await readExistence(this.api(), needs.missing, signal));
    debug('sync(%j, %j): %O', call.reqId, call.detached, plan);
    return plan;
  }

  async #attach(
    { volume, snapshot, rights }: WantedVolume,
    { reqId, clientId }: SyncCall,
    reassign: Reassign,
  ): Promise<void> {
    const clients = [clientId];
    const volumeEntry = rights === 2 ? { volume, rw: clients } : { volume, ro: clients };
    await traced('storpool:attach', { reqId, volume, snapshot, rights, clientId }, () =>
      reassign(snapshot ? { snapshot: volume, ro: clients } : volumeEntry),
    );
  }

  async #detach(
    target: DetachPlan | null,
    { reqId, clientId }: SyncCall,
    reassign: Reassign,
    signal: AbortSignal | undefined,
  ): Promise<Pick<SyncReport, 'detached' | 'forced' | 'kept'>> {
    if (target === null) return { detached: null, forced: false, kept: null };
    const { volume, snapshot, neededBy } = target;
    const policy = {
      clientId,
      retries: this.#detachRetries,
      delay: this.#detachRetryDelay,
      mayForce: neededBy.length === 0 || this.#forceShared,
    };
    const context: DetachEvent = { reqId, volume, snapshot, clientId };
    const outcome = await traced('storpool:detach', context, async () => {
      context.outcome = await detach(target, policy, reassign, signal);
      return context.outcome;
    });
    if (outcome === 'kept') {
      this.#log.warn(
        `${volume} stays attached though request ${reqId} no longer needs it: it is open, and needed by ${neededBy.join(', ')}`,
      );
      return { detached: null, forced: false, kept: { volume, neededBy } };
    }
    return { detached: volume, forced: outcome === 'forced', kept: null };
  }

  /**
   * Waits for the devices of what was just attached, and of the volume that the call is for: another process
   * may have attached it a moment ago on behalf of this one's request, and be waiting itself.
   *
   * @returns the paths of the devices that are there
   */
  async #waitForDevices(
    plan: SyncPlan,
    detached: string | null,
    call: SyncCall,
    signal: AbortSignal | undefined,
  ): Promise<Map<string, string>> {
    const attached = plan.attach.filter(({ volume }) => volume !== detached);
    // Who detaches something has no use for a device.
    const own =
      call.detached === null ? plan.alreadyAttached.filter((one) => one.requests.includes(call.reqId)) : [];
    const names = [...attached, ...own].map(({ volume }) => volume);
    const found = await waitForDevices(this.#deviceDir, names, { timeout: this.#deviceTimeout, signal });
    for (const { volume } of attached) {
      if (!found.has(volume)) {
        this.#log.warn(
          `${volume} is attached, but ${this.devicePath(volume)} did not appear within ${this.#deviceTimeout} ms; is the storpool_block service running on this host?`,
        );
      }
    }
    for (const { volume } of own) {
      if (!found.has(volume)) this.#log.debug?.(`${volume} was attached before, but it has no device yet`);
    }
    return new Map([...found].map((name) => [name, this.devicePath(name)]));
  }
}

function checkLogger(log: Logger): Logger {
  if (typeof log?.warn === 'function') return log;
  throw new TypeError(
    'AttachDB needs a logger: give { log } with a warn(message) method, console for example',
  );
}

/** What is no object is left for {@link SPConfig} to refuse. */
const copyOf = <T>(settings: T): T =>
  typeof settings === 'object' && !Array.isArray(settings) && settings !== null ? { ...settings } : settings;

function checkCount(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new TypeError(`${name} is ${String(value)}: give a number from 0 on`);
}
