import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachDB, checkRequest, type LockOptions, SPConfig } from '../index.js';
import { harmless, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** The host that the options are about. What its configuration lacks is thrown by the first call that needs it. */
export class Host {
  readonly db: AttachDB;
  readonly signal: AbortSignal;
  readonly #options: Options;
  readonly #open: (fname: string | undefined, lock?: LockOptions) => AttachDB;

  /** @param lockTimeout - milliseconds; for a command that only looks, a short time */
  constructor(options: Options, terminal: Terminal, lockTimeout = 15_000) {
    this.#options = options;
    this.signal = terminal.signal;
    const given = options.timeout === undefined ? undefined : Number(options.timeout) * 1000;
    // An operator wants to be told that the API fails, not to wait until it does not.
    const timeout = given ?? 8000;
    const config = configOf(options);
    this.#open = (fname, lock) =>
      new AttachDB({
        log: { warn: (message) => terminal.writeError(`${harmless(message)}\n`) },
        config,
        fname,
        deviceDir: options['device-dir'],
        apiTimeout: timeout,
        apiOptions: { timeout, transientRetries: 0 },
        lock: { timeout: given ?? lockTimeout, ...lock },
      });
    this.db = this.#open(options.file);
  }

  /** The same cache, with other rules for its lock. */
  lockedBy(lock: LockOptions): AttachDB {
    return this.#open(this.db.fname, lock);
  }

  /** Runs a function under the lock of the cache. */
  locked<T>(fn: () => T | Promise<T>): Promise<T> {
    return this.db.withLock(fn, { signal: this.signal });
  }

  /** Reads the cache; if the lock is not free, from a copy of the file, and says why. */
  async look<T>(read: (db: AttachDB) => Promise<T>): Promise<{ seen: T; unlocked: string | null }> {
    const seen = await read(this.db).catch(asError);
    if (!(seen instanceof Error)) return { seen, unlocked: null };
    if (codeOf(seen) !== 'ELOCKED') throw seen;
    const dir = mkdtempSync(join(tmpdir(), 'storpool-attachdb-'));
    try {
      const { fname } = this.db;
      const copy = join(dir, 'copy.json');
      copyFileSync(fname, copy);
      const again = await read(this.#open(copy, { kernelLock: 'off' }));
      const words = JSON.stringify(again).replaceAll(copy, JSON.stringify(fname).slice(1, -1));
      return { seen: JSON.parse(words), unlocked: seen.message };
    } catch {
      // Half of a write is no reason to speak of a torn file.
      throw seen;
    } finally {
      rmSync(dir, { recursive: true });
    }
  }

  /** What to type to run another command on the same host. */
  command(...words: string[]): string {
    const same = (['config', 'section', 'file', 'device-dir'] as const).flatMap((name) => {
      const value = this.#options[name];
      return value === undefined ? [] : [`--${name}`, value];
    });
    return ['storpool-attachdb', ...words, ...same].map(shellWord).join(' ');
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
