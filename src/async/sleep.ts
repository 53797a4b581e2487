import { onAbort } from './abort.js';

/** Milliseconds; a longer timer fires at once. */
export const MAX_TIMER = 2 ** 31 - 1;

/** Calls back after `ms` milliseconds; never, if they are more than a timer can count. */
export const startTimer = (ms: number, callback: () => void): NodeJS.Timeout | undefined =>
  ms > MAX_TIMER ? undefined : setTimeout(callback, ms);

/**
 * Waits for `ms` milliseconds; for ever, if they are more than a timer can count.
 *
 * It uses the global `setTimeout`, which fake timers replace; `node:timers/promises` they do not.
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
