/** The longest timer, in milliseconds; a longer one would fire at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/** Calls back after `ms` milliseconds, or never if that is longer than a timer can be. */
export const startTimer = (ms: number, callback: () => void): NodeJS.Timeout | undefined =>
  ms > MAX_TIMER ? undefined : setTimeout(callback, ms);
