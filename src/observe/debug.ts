import { formatWithOptions } from 'node:util';
import createDebug from 'debug';

/** One namespace of the output of `DEBUG=storpool:*`. */
export interface DebugOutput {
  (format: string, ...args: unknown[]): void;
  readonly enabled: boolean;
}

/** Whatever is logged is shown in full, on one line. */
const WHOLE = { depth: Infinity, maxArrayLength: Infinity, breakLength: Infinity, compact: true };

/** Like `createDebug(namespace)` of `debug`, but with the placeholders of `util.format()`. Never throws. */
export function debugOutput(namespace: string): DebugOutput {
  const debug = createDebug(namespace);
  const write = (format: string, ...args: unknown[]) => {
    if (!debug.enabled) return;
    try {
      debug('%s', formatWithOptions(WHOLE, format, ...args));
    } catch (error) {
      // What is logged has already been done, and must not fail because the output does.
      process.emitWarning(`Cannot write the output of DEBUG=${namespace}: ${String(error)}`);
    }
  };
  return Object.defineProperty(write, 'enabled', { get: () => debug.enabled }) as DebugOutput;
}
