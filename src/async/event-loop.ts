// Not the global ones, which fake timers replace: these are no waits that a test could have in mind.
import { setImmediate, setTimeout } from 'node:timers';

/** Lets timers and other connections have their turn. */
export const yieldToEventLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Calls back after `ms` milliseconds, whatever timers a test has replaced. */
export const afterRealTime = (ms: number, callback: () => void) => setTimeout(callback, ms);
