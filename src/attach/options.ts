import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import type { SPConfig, SPConfigOptions } from '../config/sp-config.js';
import type { LockOptions } from '../store/lock-options.js';
import type { AttachmentState } from './plan.js';

/** What {@link AttachDB} tells an operator. `console` is one. */
export interface Logger {
  /** Something an operator should look at. */
  warn(message: string): void;
  /** Something that may help to understand what happened. */
  debug?(message: string): void;
}

/** A volume or snapshot, as far as its existence goes. */
export interface Named {
  /** Its name. */
  name: string;
}

/**
 * The calls that {@link AttachDB} makes: what a test has to mock.
 *
 * `volumeList` and `snapshotList` may be missing; the lists are read instead.
 */
export interface AttachDBApi {
  /** All attachments of the cluster. */
  attachmentsList(options?: ApiCallOptions): Promise<readonly AttachmentState[]>;
  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One volume, in a list; an {@link ApiError} `objectDoesNotExist` if there is none. */
  volumeList?(volume: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** One snapshot, in a list; an {@link ApiError} `objectDoesNotExist` if there is none. */
  snapshotList?(snapshot: string, options?: ApiCallOptions): Promise<readonly Named[]>;
  /** Attaches and detaches: one entry a call. */
  volumesReassign(entries: readonly ReassignEntry[], options?: ApiCallOptions): Promise<unknown>;
}

/** What an {@link AttachDB} is made of. Only `log` must be given. Times are milliseconds. */
export interface AttachDBOptions {
  /** What to tell an operator through; `console` is one. */
  log: Logger;
  /** The attachment cache. Default: `/var/spool/openstack-storpool/openstack-attach.json`. */
  fname?: string | undefined;
  /** The settings themselves, in place of any file, default or environment, and of `config`. */
  overrideConfig?: Readonly<Record<string, string>> | undefined;
  /** Where to read the settings, or the settings already read. Default: this host's configuration. */
  config?: SPConfigOptions | SPConfig | undefined;
  /**
   * What to send the calls through: a mock in tests, or an `Api` with options of its own, for example
   * `Api.fromConfig(config, { timeout: 30_000 })`. It keeps its own retries, which then take place while the lock is
   * held. Default: an `Api` made from the configuration, whose calls are retried without the lock.
   */
  api?: AttachDBApi | undefined;
  /** Where the devices of attached volumes appear. Default: `/dev/storpool`. */
  deviceDir?: string | undefined;
  /** How long to wait for a device. Default: `10_000`. */
  deviceTimeout?: number | undefined;
  /** How often to try again to detach a volume that is open; the last attempt is forced. Default: `10`. */
  detachRetries?: number | undefined;
  /** The time between those attempts, in which the lock is free. Default: `200`. */
  detachRetryDelay?: number | undefined;
  /**
   * Whether `sync()` may detach a volume by force while another cached request still needs it, as the reference
   * does. Default: `false`: it is kept, with a warning.
   */
  forceShared?: boolean | undefined;
  /** How the cache is locked. */
  lock?: LockOptions | undefined;
}

/** What {@link AttachDB.sync}, {@link AttachDB.attach}, {@link AttachDB.detach} and {@link AttachDB.plan} take. */
export interface SyncOptions {
  /**
   * Ends all waits and calls at once; the call then throws the signal's reason. Where that is an `Error` without a
   * `cause` and the call was waiting to try again, its `cause` says what had failed.
   *
   * A change that has been sent is carried out all the same: the lock is kept until the service has answered.
   */
  signal?: AbortSignal | undefined;
}

/**
 * A logger that never throws: what it is told of has been done, and must be finished all the same.
 *
 * @throws TypeError when there is no logger.
 */
export function safeLogger(log: Logger): Logger {
  if (typeof log?.warn !== 'function') {
    throw new TypeError(
      'AttachDB needs a logger: give { log } with a warn(message) method, console for example',
    );
  }
  const tell = (message: string, write: () => void) => {
    try {
      write();
    } catch (error) {
      process.emitWarning(`${message} (the logger failed: ${String(error)})`, 'SPLockedFileWarning');
    }
  };
  return {
    warn: (message) => tell(message, () => log.warn(message)),
    debug: (message) => tell(message, () => log.debug?.(message)),
  };
}

/** @throws TypeError naming the option. */
export function checkCount(name: string, value: number): number {
  if (typeof value === 'number' && value >= 0) return value;
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  throw new TypeError(`${name} is ${shown}: give a number from 0 on`);
}
