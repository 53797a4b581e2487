import { formatWithOptions } from 'node:util';
import createDebug from 'debug';

/** One area of the output of `DEBUG=storpool:*`. */
export interface DebugOutput {
  (format: string, ...args: unknown[]): void;
  readonly enabled: boolean;
}

/** What is logged is shown to its end, on one line. */
const WHOLE = { depth: Infinity, maxArrayLength: Infinity, breakLength: Infinity, compact: true };

/** As `createDebug(namespace)` of `debug`, with the placeholders of `util.format()`. Never throws. */
export function debugOutput(namespace: string): DebugOutput {
  const debug = createDebug(namespace);
  const write = (format: string, ...args: unknown[]) => {
    if (!debug.enabled) return;
    try {
      debug('%s', formatWithOptions(WHOLE, format, ...args));
    } catch (error) {
      // What is logged has been done, and must not fail because nobody can read about it.
      process.emitWarning(`The output of DEBUG=${namespace} fails: ${String(error)}`);
    }
  };
  return Object.defineProperty(write, 'enabled', { get: () => debug.enabled }) as DebugOutput;
}
