import { MAX_TIMER } from '../async/sleep.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const KERNEL_LOCK = ['auto', 'required', 'off'] as const;

/** How a file is locked. Times are milliseconds. */
export interface LockOptions {
  /**
   * How long to wait for the lock, counted from the call. Keep it longer than `stale`, so that a lock
   * directory that a dead process left behind never fails a call. Default: `15_000`.
   */
  timeout?: number | undefined;
  /** After what time a lock directory that nobody refreshes is taken over, at least 10000: plain
   * users of `proper-lockfile` refresh theirs every 5 seconds. Default: `10_000`. */
  stale?: number | undefined;
  /**
   * Whether to take the lock that the Python services know, `flock(2)` on the file itself, through `koffi` or
   * the `flock` program. `auto`: where neither is available, say so once and go on with the lock directory
   * alone. `required`: that is an error. `off`: never; only for files that no Python service uses.
   * Default: `'auto'`.
   */
  kernelLock?: (typeof KERNEL_LOCK)[number] | undefined;
}

/** The same with nothing left open. */
export interface ResolvedLockOptions {
  timeout: number;
  stale: number;
  kernelLock: (typeof KERNEL_LOCK)[number];
}

/** @throws {@link SPLockedFileError} `EINVAL` naming the option. */
export function resolveLockOptions(options: LockOptions): ResolvedLockOptions {
  const { timeout = 15_000, stale = 10_000, kernelLock = 'auto' } = options;
  if (!(timeout >= 0)) throw invalid('timeout', timeout, 'give milliseconds from 0 on');
  if (!(stale >= 10_000 && stale <= MAX_TIMER)) {
    throw invalid('stale', stale, `give milliseconds from 10000 to ${MAX_TIMER}`);
  }
  if (!KERNEL_LOCK.includes(kernelLock)) {
    throw invalid('kernelLock', kernelLock, `give one of ${KERNEL_LOCK.join(', ')}`);
  }
  return { timeout, stale, kernelLock };
}

const invalid = (name: string, value: unknown, remedy: string) =>
  new SPLockedFileError('EINVAL', `lock.${name} is ${String(value)}: ${remedy}`);
