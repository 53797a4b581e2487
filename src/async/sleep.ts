import { onAbort } from './abort.js';
import { startTimer } from './timer.js';

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
