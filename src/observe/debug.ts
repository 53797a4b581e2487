import { createRequire } from 'node:module';
import type { Debugger } from 'debug';

const require = createRequire(import.meta.url);

/** Output for `DEBUG=storpool:*`. Loading `debug` takes longer than all of this library: it waits for its first use. */
export interface LazyDebug {
  (format: string, ...args: unknown[]): void;
  readonly enabled: boolean;
}

/** As `createDebug(namespace)` of `debug`. */
export function lazyDebug(namespace: string): LazyDebug {
  let loaded: Debugger | undefined;
  const load = (): Debugger => {
    loaded ??= (require('debug') as typeof import('debug'))(namespace);
    return loaded;
  };
  const write = (format: string, ...args: unknown[]) => {
    try {
      load()(format, ...args);
    } catch (error) {
      // What is told of has been done, and must not fail since nobody can hear of it.
      process.emitWarning(`The output of DEBUG=${namespace} fails: ${String(error)}`);
    }
  };
  return Object.defineProperty(write, 'enabled', { get: () => load().enabled }) as LazyDebug;
}
