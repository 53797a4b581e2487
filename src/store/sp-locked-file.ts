import { AsyncLocalStorage } from 'node:async_hooks';
import { formatContent, parseContent, readAll, writeAll } from './content.js';
import { type FileLock, lockFile } from './file-lock.js';
import { type LockOptions, type ResolvedLockOptions, resolveLockOptions } from './lock-options.js';
import { Turns } from './turns.js';

/** What {@link SPLockedFile.withLock} takes. */
export interface WithLockOptions {
  /** Ends the wait for the lock at once; `withLock` then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** One hold of the lock, or a part of it: what a `withLock` inside it is given to itself. */
class Hold {
  readonly lock: FileLock;
  /** False as soon as its function has ended: what still runs in its context has no lock. */
  open = true;
  /** Those inside this hold go one after the other, so that their reads and writes never mix. */
  readonly inner = new Turns();

  constructor(lock: FileLock) {
    this.lock = lock;
  }

  async run<T>(fn: () => T | Promise<T>): Promise<T> {
    try {
      return await fn();
    } finally {
      this.open = false;
      await this.inner.idle;
    }
  }
}

/**
 * A JSON file that several processes share, one at a time. The file must exist.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedFile`.
 */
export class SPLockedFile {
  /** The path as it was given. */
  readonly fname: string;
  readonly #options: ResolvedLockOptions;
  readonly #holds = new AsyncLocalStorage<Hold>();
  #last: Buffer | undefined;

  /** @throws {@link SPLockedFileError} `EINVAL` for a lock option that makes no sense. */
  constructor(fname: string, lock: LockOptions = {}) {
    this.fname = fname;
    this.#options = resolveLockOptions(lock);
  }

  /**
   * Runs a function while the file is locked, and gives back what it gives.
   *
   * Inside of the function, `withLock` and all other methods of the same object join the lock that is
   * already held; several of them started at once run one after the other. What is still running in the
   * function's context after it has ended (a promise nobody awaited) locks anew.
   *
   * Reference: `with locked_file:`.
   *
   * @throws {@link SPLockedFileError} `ELOCKED` when somebody else holds the lock for longer than the
   * timeout, or the system's code when the file cannot be opened or locked.
   */
  async withLock<T>(fn: () => T | Promise<T>, { signal }: WithLockOptions = {}): Promise<T> {
    signal?.throwIfAborted();
    const outer = this.#holds.getStore();
    if (outer?.open) {
      const end = await outer.inner.take(signal);
      try {
        return await this.#runIn(new Hold(outer.lock), fn);
      } finally {
        end();
      }
    }
    const lock = await lockFile(this.fname, this.#options, (message) => this.warn(message), signal);
    try {
      return await this.#runIn(new Hold(lock), fn);
    } finally {
      await lock.release();
    }
  }

  /**
   * Whether the file holds something else than this object last read or wrote.
   *
   * Reference: `changed()`, which compares time and size; two writes within one clock tick escape that.
   */
  changed(): Promise<boolean> {
    return this.#withFile(async (lock) => {
      const bytes = await readAll(lock.handle);
      return this.#last === undefined || !this.#last.equals(bytes);
    });
  }

  /**
   * The parsed content.
   *
   * Reference: `jsload()`.
   *
   * @throws {@link SPLockedFileError} `ECORRUPT` when it is not JSON.
   */
  jsload(): Promise<unknown> {
    return this.#withFile(async (lock) => {
      const bytes = await readAll(lock.handle);
      const value = parseContent(bytes, this.fname);
      this.#last = bytes;
      return value;
    });
  }

  /**
   * Puts a value in place of the content.
   *
   * Reference: `jsdump(obj)`.
   *
   * @throws TypeError for what JSON cannot hold, {@link SPLockedFileError} `ECOMPROMISED` when the lock was
   * lost meanwhile; nothing is written then.
   */
  async jsdump(value: unknown): Promise<void> {
    const bytes = formatContent(value);
    await this.#withFile(async (lock) => {
      await lock.check();
      await writeAll(lock.handle, bytes);
      this.#last = bytes;
    });
  }

  /** @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock that this context holds was lost. */
  protected checkLock(): Promise<void> {
    return this.#withFile((lock) => lock.check());
  }

  /** Told of what an operator should know of and no caller can act on. */
  protected warn(message: string): void {
    process.emitWarning(message, 'SPLockedFileWarning');
  }

  #withFile<T>(fn: (lock: FileLock) => Promise<T>): Promise<T> {
    return this.withLock(() => fn((this.#holds.getStore() as Hold).lock));
  }

  #runIn<T>(hold: Hold, fn: () => T | Promise<T>): Promise<T> {
    return this.#holds.run(hold, () => hold.run(fn));
  }
}
