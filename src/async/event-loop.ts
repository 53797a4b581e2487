// Not the globals, which fake timers replace: these waits are no concern of a test.
import { setImmediate, setTimeout } from 'node:timers';

/** Lets timers and other I/O run first. */
export const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Calls back after `ms` milliseconds, even if a test has replaced the timers. */
export const afterRealTime = (ms: number, callback: () => void) => setTimeout(callback, ms);
