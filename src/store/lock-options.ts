import { MAX_TIMER } from '../async/timer.js';
import { problemOfOptions } from '../options/known-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const KERNEL_LOCK = ['auto', 'required', 'off'] as const;

/** How a file is locked. Times are in milliseconds. */
export interface LockOptions {
  /**
   * How long to wait for the lock, counted from the call. Keep it longer than `stale`, so that a lock
   * directory left by a dead process never makes a call fail. Default: `15_000`.
   */
  timeout?: number | undefined;
  /**
   * How long a lock directory must go without a refresh before it is taken over; at least 10000, because plain
   * users of `proper-lockfile` refresh theirs every 5 seconds. Default: `10_000`.
   */
  stale?: number | undefined;
  /**
   * Whether to take the lock that the Python services take, `flock(2)` on the file itself, through `koffi` or
   * the `flock` program. `auto`: if neither is available, warn once and use only the lock directory.
   * `required`: if neither is available, throw an error. `off`: never; only for files that no Python service uses.
   * Default: `'auto'`.
   */
  kernelLock?: (typeof KERNEL_LOCK)[number] | undefined;
}

/** What a lock needs to know of the file and its user. @internal */
export interface LockContext {
  /** The path as the user gave it, for messages. */
  fname: string;
  options: { [K in keyof LockOptions]-?: NonNullable<LockOptions[K]> };
  /** Warns an operator. */
  warn(message: string): void;
}

/** @throws {@link SPLockedFileError} `EINVAL` naming the option. @internal */
export function resolveLockOptions(options: LockOptions): LockContext['options'] {
  const problem = problemOfOptions('lock', options, ['timeout', 'stale', 'kernelLock']);
  if (problem !== undefined) throw new SPLockedFileError('EINVAL', problem);
  const { timeout = 15_000, stale = 10_000, kernelLock = 'auto' } = options;
  checkTimeout('lock.timeout', timeout);
  if (!(stale >= 10_000 && stale <= MAX_TIMER)) {
    throw invalid('lock.stale', stale, `give milliseconds from 10000 to ${MAX_TIMER}`);
  }
  if (!KERNEL_LOCK.includes(kernelLock)) {
    throw invalid('lock.kernelLock', kernelLock, `give one of ${KERNEL_LOCK.join(', ')}`);
  }
  return { timeout, stale, kernelLock };
}

const invalid = (name: string, value: unknown, remedy: string) =>
  new SPLockedFileError('EINVAL', `${name} is ${String(value)}: ${remedy}`);

/** @throws {@link SPLockedFileError} `EINVAL` @internal */
export function checkTimeout(name: string, value: number): void {
  if (!(typeof value === 'number' && value >= 0)) throw invalid(name, value, 'give at least 0 milliseconds');
}
