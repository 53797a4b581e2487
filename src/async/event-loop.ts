// Not the globals, which fake timers replace: these waits are no concern of a test.
import { setImmediate, setTimeout } from 'node:timers';

/** Calls back when timers and other I/O have had their turn. */
export const inNextTurn = (callback: () => void): unknown => setImmediate(callback);

let waits = 0;

/** Calls back after `ms` milliseconds, even if a test has replaced the timers. */
export function afterRealTime(ms: number, callback: () => void): NodeJS.Timeout {
  waits++;
  return setTimeout(() => {
    waits--;
    callback();
  }, ms);
}

/** Whether such a callback is still to come. */
export const isRealTimeAwaited = (): boolean => waits > 0;
