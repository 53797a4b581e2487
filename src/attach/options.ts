import type { SPConfig, SPConfigOptions } from '../config/sp-config.js';
import type { LockOptions } from '../store/lock-options.js';
import type { AttachDBApi } from './attach-db-api.js';

/** What {@link AttachDB} tells an operator. `console` is one. */
export interface Logger {
  /** Something an operator should look at. */
  warn(message: string): void;
  /** Something that may help to understand what happened. */
  debug?(message: string): void;
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
   * What to send the calls through: a mock in tests, or an `Api` with options of its own, as
   * `Api.fromConfig(config, { timeout: 30_000 })`. Default: an `Api` made from the configuration.
   */
  api?: AttachDBApi | undefined;
  /** Where the devices of attached volumes appear. Default: `/dev/storpool`. */
  deviceDir?: string | undefined;
  /** How long to wait for a device. Default: `10_000`. */
  deviceTimeout?: number | undefined;
  /** How often to try again to detach a volume that is open; the last of them is forced. Default: `10`. */
  detachRetries?: number | undefined;
  /** The time between those attempts. Default: `200`. */
  detachRetryDelay?: number | undefined;
  /**
   * Whether a volume may be pulled away by force while another cached request still needs it, as the
   * reference does. Default: `false`: it is kept, with a warning.
   */
  forceShared?: boolean | undefined;
  /** How the cache is locked. */
  lock?: LockOptions | undefined;
}

/** What {@link AttachDB.sync} takes. */
export interface SyncOptions {
  /** Ends all waits and calls at once; `sync()` then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}
