import { isClientId, quote } from '../api/names.js';
import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import type { SPConfig, SPConfigOptions } from '../config/sp-config.js';
import { logSafely } from '../observe/log-safely.js';
import type { LockOptions } from '../store/lock-options.js';
import { AttachError } from './attach-error.js';
import type { AttachmentState } from './plan.js';

/** Receives what {@link AttachDB} tells an operator, for example `console`. */
export interface Logger {
  /** Something that an operator should check. */
  warn(message: string): void;
  /** Something that may help to understand what happened. */
  debug?(message: string): void;
}

/** A volume or snapshot of which only the name matters. */
export interface Named {
  /** Its name. */
  name: string;
}

/**
 * The calls that {@link AttachDB} makes; a mock needs those that are not optional.
 *
 * Without `volumeList` or `snapshotList`, the whole lists are read instead.
 */
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
   * The API client: a mock in tests, or an `Api` with its own options, for example
   * `Api.fromConfig(config, { timeout: 30_000 })`. It keeps its own retries, which then happen while the lock is
   * held. Default: an `Api` made from the configuration, whose calls are retried without the lock.
   */
  api?: AttachDBApi | undefined;
  /** Where the devices of attached volumes appear. Default: `/dev/storpool`. */
  deviceDir?: string | undefined;
  /** How long to wait for a device. Default: `10_000`. */
  deviceTimeout?: number | undefined;
  /** How often to retry detaching a volume that is open; the last attempt is forced. Default: `10`. */
  detachRetries?: number | undefined;
  /** The pause between these attempts, during which the lock is free. Default: `200`. */
  detachRetryDelay?: number | undefined;
  /**
   * Whether `sync()` may detach a volume by force that another cached request still needs, as the reference
   * does. Default: `false`; the volume stays attached, with a warning.
   */
  forceShared?: boolean | undefined;
  /** How the cache is locked. */
  lock?: LockOptions | undefined;
}

/** The options of {@link AttachDB.sync}, {@link AttachDB.attach}, {@link AttachDB.detach} and {@link AttachDB.plan}. */
export interface SyncOptions {
  /**
   * Ends all waits and requests at once; the call then throws the signal's reason. If that is an `Error` without a
   * `cause` and the call was waiting for a retry, its `cause` becomes the failure before it.
   *
   * A change that has been sent is still carried out: the lock is kept until the service has replied.
   */
  signal?: AbortSignal | undefined;
}

/** The options with their defaults. @throws TypeError when the logger is missing or an option is invalid. @internal */
export function checkOptions(options: AttachDBOptions) {
  const { log, api, deviceDir = '/dev/storpool', forceShared = false } = options ?? {};
  return {
    log: safeLogger(log),
    config: configSource(options),
    api,
    deviceDir,
    deviceTimeout: checkCount('deviceTimeout', options.deviceTimeout ?? 10_000),
    policy: {
      openRetries: checkCount('detachRetries', options.detachRetries ?? 10),
      openDelay: checkCount('detachRetryDelay', options.detachRetryDelay ?? 200),
      // An injected api has its own policy.
      transientRetries: api === undefined ? 5 : 0,
    },
    forceShared,
  };
}

/** A logger that never throws: what it is told of has been done, and must be finished all the same. */
function safeLogger(log: Logger | undefined): Logger {
  if (typeof log?.warn !== 'function') {
    throw new TypeError(
      'AttachDB needs a logger: give { log } with a warn(message) method, for example console',
    );
  }
  return {
    warn: (message) => logSafely((words) => log.warn(words), message),
    debug: (message) => logSafely((words) => log.debug?.(words), message),
  };
}

/** @throws TypeError naming the option. */
function checkCount(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  throw new TypeError(`${name} is ${quote(value)}: give a number of at least 0`);
}

/** A copy of what is given as an object, because it may change later. */
function configSource({ overrideConfig, config = {} }: AttachDBOptions): SPConfigOptions | SPConfig {
  if (overrideConfig === undefined) return config;
  // What is no object is left for SPConfig to refuse.
  const isObject =
    typeof overrideConfig === 'object' && !Array.isArray(overrideConfig) && overrideConfig !== null;
  return { overrideConfig: isObject ? { ...overrideConfig } : overrideConfig };
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
