import { isClientId, quote } from '../api/names.js';
import { API_OPTIONS, type ApiCallOptions, type ApiOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import { SPConfig, type SPConfigOptions } from '../config/sp-config.js';
import { logSafely } from '../observe/log-safely.js';
import { refuseNoSignal, refuseUnknown } from '../options/known-options.js';
import type { LockOptions } from '../store/lock-options.js';
import { AttachError } from './attach-error.js';
import type { AttachmentState } from './identity.js';

/** Receives what {@link AttachDB} tells an operator, for example `console`. */
export interface Logger {
  /** Something that an operator should check. */
  warn(message: string): void;
  /** Something that may help to understand what happened. */
  debug?(message: string): void;
}

/** A volume or snapshot of which only the name and the global ID matter. */
export interface Named {
  /** Its name. */
  name: string;
  /** Its global ID, without `~`. A mock may leave it out. */
  globalId?: string | undefined;
}

/** The calls that {@link AttachDB} makes. Without `volumeList` or `snapshotList`, the whole lists are read instead. */
export interface AttachDBApi {
  /** All attachments of the cluster. */
  attachmentsList(options?: ApiCallOptions): Promise<readonly AttachmentState[]>;
  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One volume, in a list. @throws {@link ApiError} `objectDoesNotExist` */
  volumeList?(volume: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One snapshot, in a list. @throws {@link ApiError} `objectDoesNotExist` */
  snapshotList?(snapshot: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** Attaches and detaches: one entry per call. */
  volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<unknown>;
}

/**
 * Whether the last attempt to detach an open volume is forced, which takes it away from the program that uses it.
 *
 * - `unshared`: unless another cached request needs the volume; it then stays attached, with a warning.
 * - `always`: `sync()` forces even then, as the reference does.
 * - `never`: the last attempt fails with `EBUSY`; the volume stays attached, and the request cached. `sync()`
 *   keeps what others need, as with `unshared`.
 */
export type Force = 'never' | 'unshared' | 'always';

/** The options of an {@link AttachDB}. Only `log` is required. Times are in milliseconds. */
export interface AttachDBOptions {
  /** Receives what an operator should know, for example `console`. */
  log: Logger;
  /** The attachment cache. Default: `/var/spool/openstack-storpool/openstack-attach.json`. */
  fname?: string | undefined;
  /** The settings themselves, instead of `config`, files, defaults and the environment. */
  overrideConfig?: Readonly<Record<string, string>> | undefined;
  /** Where to read the settings, or the settings themselves. Default: the configuration of this host. */
  config?: SPConfigOptions | SPConfig | undefined;
  /**
   * The API client, for example a mock in tests. It keeps its own retries, which then happen while the lock is held.
   * Default: an `Api` made from the configuration, whose calls are retried without the lock.
   */
  api?: AttachDBApi | undefined;
  /**
   * Options of the client that is made from the configuration; not together with `api`. `transientRetries` and
   * `transientSleep` are also those of `attach()`, `detach()`, `sync()` and `plan()`, which pause without the lock.
   */
  apiOptions?: Partial<ApiOptions> | undefined;
  /**
   * How long one hold of the lock may wait for the API, in all; then it is released, and the call tries again, or with
   * an `api` of your own throws `ETIMEDOUT`. Only a forced detach is waited for longer. Default: `8_000`, because Python
   * services wait ten seconds for the lock.
   */
  apiTimeout?: number | undefined;
  /** Where the devices of attached volumes appear. Default: `/dev/storpool`. */
  deviceDir?: string | undefined;
  /** How long to wait for a device. Default: `10_000`. */
  deviceTimeout?: number | undefined;
  /** How often to retry detaching a volume that is open; with `0`, the first attempt is the last. Default: `10`. */
  detachRetries?: number | undefined;
  /** The pause between these attempts, during which the lock is free. Default: `200`. */
  detachRetryDelay?: number | undefined;
  /** Whether the last of these attempts is forced. Default: `unshared`. */
  force?: Force | undefined;
  /** How the cache is locked. */
  lock?: LockOptions | undefined;
}

const OPTIONS =
  'log fname overrideConfig config api apiOptions apiTimeout deviceDir deviceTimeout detachRetries detachRetryDelay force lock';

/** The options of {@link AttachDB.attach}, {@link AttachDB.plan} and {@link AttachDB.status}. */
export interface CallOptions {
  /**
   * Ends the call at once; it then throws the signal's reason, with the failure before it as its `cause` if it is an
   * `Error` without one. The lock is kept until a change that has been sent is answered, or `apiTimeout` is used up.
   */
  signal?: AbortSignal | undefined;
}

/** The options of {@link AttachDB.detach} and {@link AttachDB.sync}. */
export interface DetachOptions extends CallOptions {
  /** Default: that of {@link AttachDBOptions.force}. */
  force?: Force | undefined;
}

/** Checks the last argument of a call. @throws TypeError that says what to write @internal */
export function checkCallOptions(call: string, options: DetachOptions, ...more: 'force'[]): DetachOptions {
  refuseUnknown(call, options, ['signal', ...more]);
  refuseNoSignal(options.signal);
  if (options.force !== undefined) checkForce(options.force);
  return options;
}

/** @internal */
export type ResolvedOptions = ReturnType<typeof resolveAttachOptions>;

/** The options with their defaults. @throws TypeError when the logger is missing or an option is invalid. @internal */
export function resolveAttachOptions(options: AttachDBOptions) {
  const { log, config = {}, overrideConfig, api, apiOptions = {} } = options ?? {};
  if (typeof log?.warn !== 'function') {
    throw new TypeError(
      'AttachDB needs a logger: give { log } with a warn(message) method, for example console',
    );
  }
  refuseUnknown('AttachDB', options, OPTIONS.split(' '));
  refuseUnknown('apiOptions', apiOptions, API_OPTIONS);
  if (api !== undefined && options.apiOptions !== undefined) {
    throw new TypeError(
      'apiOptions are those of the client that AttachDB makes: give them, or api, not both',
    );
  }
  const count = (name: keyof AttachDBOptions, otherwise: number, least = 0): number => {
    const value = options[name] ?? otherwise;
    if (typeof value === 'number' && value >= least) return value;
    throw new TypeError(`${name} is ${quote(value)}: give a number of at least ${least}`);
  };
  const { transientRetries = 5, transientSleep = (retry: number) => 1000 * 2 ** retry } = apiOptions;
  return {
    // It never throws: what it is told of has been done, and must be finished all the same.
    log: {
      warn: (message: string) => logSafely((line) => log.warn(line), message),
      debug: (message: string) => logSafely((line) => log.debug?.(line), message),
    },
    // Made at once, because what it is given may change later.
    config: overrideConfig === undefined ? config : new SPConfig({ overrideConfig }),
    api,
    apiOptions,
    apiTimeout: count('apiTimeout', 8000, 1),
    deviceDir: options.deviceDir ?? '/dev/storpool',
    deviceTimeout: count('deviceTimeout', 10_000),
    /** How often to retry while a volume is open, and after transient failures of the API, and after which pauses. */
    policy: {
      openRetries: count('detachRetries', 10),
      openDelay: count('detachRetryDelay', 200),
      // An injected api has its own policy.
      transientRetries: api === undefined ? transientRetries : 0,
      transientDelay: transientSleep,
    },
    force: checkForce(options.force ?? 'unshared'),
  };
}

function checkForce(force: Force): Force {
  if (['never', 'unshared', 'always'].includes(force)) return force;
  throw new TypeError(`force is ${quote(force)}: give 'never', 'unshared' or 'always'`);
}

/** @throws {@link AttachError} `ENOCLIENTID` @internal */
export function clientIdOf(config: SPConfig): number {
  const id = config.get('SP_OURID', '').trim();
  const clientId = /^\d+$/u.test(id) ? Number(id) : 0;
  if (isClientId(clientId)) return clientId;
  throw new AttachError(
    'ENOCLIENTID',
    `SP_OURID is ${id === '' ? 'not set' : JSON.stringify(id)}: set it to this host's client ID, a number from 1 to 4095, in ${config.source}`,
  );
}
