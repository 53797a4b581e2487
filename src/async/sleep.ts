import { onAbort } from './abort.js';

/** The longest timer, in milliseconds; a longer one would fire at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/** Calls back after `ms` milliseconds, or never if that is longer than a timer can be. */
export const startTimer = (ms: number, callback: () => void): NodeJS.Timeout | undefined =>
  ms > MAX_TIMER ? undefined : setTimeout(callback, ms);

/**
 * Waits for `ms` milliseconds; for ever if that is longer than a timer can be.
 *
 * Uses the global `setTimeout`, because fake timers do not replace `node:timers/promises`.
 *
 * @throws the signal's reason, at once when the signal is aborted.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const done = () => {
      clearTimeout(timer);
      stopListening();
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = startTimer(ms, done);
    const stopListening = onAbort(signal, done);
  });
}
