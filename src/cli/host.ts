import { AttachDB, checkRequest, SPConfig } from '../index.js';
import { harmless, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** The host that the options are about. What its configuration lacks is thrown by the first call that needs it. */
export class Host {
  readonly db: AttachDB;
  readonly signal: AbortSignal;
  readonly #options: Options;

  /** @param kernelLock - whether the lock of the Python services is required */
  constructor(options: Options, terminal: Terminal, kernelLock: 'auto' | 'required' = 'auto') {
    this.#options = options;
    this.signal = terminal.signal;
    const given = options.timeout === undefined ? undefined : Number(options.timeout) * 1000;
    // An operator wants to be told that the API fails, not to wait until it does not.
    const timeout = given ?? 8000;
    this.db = new AttachDB({
      log: { warn: (message) => terminal.writeError(`${harmless(message)}\n`) },
      config: configOf(options),
      fname: options.file,
      deviceDir: options['device-dir'],
      apiTimeout: timeout,
      apiOptions: { timeout, transientRetries: 0 },
      lock: { timeout: given, kernelLock },
    });
  }

  /** Runs a function under the lock of the cache. */
  locked<T>(fn: () => T | Promise<T>): Promise<T> {
    return this.db.withLock(fn, { signal: this.signal });
  }

  /** What to type to run another command on the same host. */
  command(name: string, ...requests: string[]): string {
    const same = (['config', 'section', 'file', 'device-dir'] as const).flatMap((name) => {
      const value = this.#options[name];
      return value === undefined ? [] : [`--${name}`, value];
    });
    const isOption = requests.some((request) => request.startsWith('-'));
    const words = isOption ? [...same, '--', ...requests] : [...requests, ...same];
    return ['storpool-attachdb', name, ...words].map(shellWord).join(' ');
  }
}

/** The settings of the files, and over them those of `--set`. */
function configOf({ config: file, section, set = [] }: Options) {
  if (set.length === 0) return { file, section };
  // Who gives settings may have no file at all; but one that is named must be there.
  const from = { file, section, missingOk: file === undefined };
  const files = attempt(() => new SPConfig(from));
  if (files instanceof Error) return from;
  const given = Object.fromEntries(set.map((one) => one.split(/=(.*)/su, 2)));
  return new (class extends SPConfig {
    override get source() {
      return `${files.source} or with --set`;
    }
    override origin(key: string) {
      return Object.hasOwn(given, key) ? '--set' : files.origin(key);
    }
  })({ overrideConfig: { ...Object.fromEntries(files), ...given } });
}

export const asError = (error: unknown): Error => error as Error;

/** The result of a function, or the error that it throws. */
export function attempt<T>(fn: () => T): T | Error {
  try {
    return fn();
  } catch (error) {
    return asError(error);
  }
}

/** The system's code of what {@link attempt} gave. */
export const codeOf = (result: unknown) =>
  result instanceof Error ? (result as NodeJS.ErrnoException).code : undefined;

/** What is wrong with an entry of the cache, if anything. */
export function problemOf(request: string, entry: unknown, where: string): string | null {
  const found = attempt(() => checkRequest(request, entry, where));
  return found instanceof Error ? found.message : null;
}
