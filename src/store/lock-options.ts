import { SPLockedFileError } from './sp-locked-file-error.js';

/** How a file is locked. Times are milliseconds. */
export interface LockOptions {
  /**
   * How long to wait for the lock. Keep it longer than `stale`, so that a lock directory that a dead process
   * left behind never fails a call. Default: `15_000`.
   */
  timeout?: number | undefined;
  /** After what time a lock directory that nobody refreshes is taken over, at least 2000. Default: `10_000`. */
  stale?: number | undefined;
}

/** The same with nothing left open. */
export interface ResolvedLockOptions {
  timeout: number;
  stale: number;
}

/** @throws {@link SPLockedFileError} `EINVAL` naming the option. */
export function resolveLockOptions({ timeout = 15_000, stale = 10_000 }: LockOptions): ResolvedLockOptions {
  if (!(timeout >= 0)) throw invalid('timeout', timeout, 'give milliseconds from 0 on');
  if (!(stale >= 2000)) throw invalid('stale', stale, 'give milliseconds from 2000 on');
  return { timeout, stale };
}

const invalid = (name: string, value: unknown, remedy: string) =>
  new SPLockedFileError('EINVAL', `lock.${name} is ${String(value)}: ${remedy}`);
