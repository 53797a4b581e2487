import { Deadline } from '../async/deadline.js';
import { logSafely } from '../observe/log-safely.js';
import { traced } from '../observe/tracing.js';
import { refuseNoSignal, refuseUnknown } from '../options/known-options.js';
import { checkDepth, corrupt, formatContent, readContent } from './content.js';
import { acquire, type FileLock } from './file-lock.js';
import { readFinished, writeContent } from './journal.js';
import { describeJournal } from './journal-file.js';
import { checkTimeout, type LockContext, type LockOptions, resolveLockOptions } from './lock-options.js';
import { currentHold, type Hold, runInHold } from './reentrancy.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

/** The options of {@link SPLockedFile.withLock}. */
export interface WithLockOptions {
  /** Ends the wait for the lock at once; `withLock` then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /** How long to wait for the lock, in milliseconds. Default: the `timeout` of the lock options. */
  timeout?: number | undefined;
}

/**
 * A JSON file that several processes use, one at a time. The file must exist.
 *
 * A write survives a kill or a power cut at any moment: what is being written is in a journal, `FILE.backup`, and
 * whoever has the lock next finishes the write. A file that anybody else has torn is refused with `ECORRUPT` until
 * `storpool-attachdb repair` mends it.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedFile`.
 */
export class SPLockedFile {
  /** The path as it was given. */
  readonly fname: string;
  readonly #context: LockContext;
  /** What was last read or written. */
  #last: Buffer | undefined;

  /** @throws {@link SPLockedFileError} `EINVAL` for an invalid lock option. */
  constructor(fname: string, lock: LockOptions = {}) {
    this.fname = fname;
    this.#context = {
      fname,
      options: resolveLockOptions(lock),
      warn: (message) => logSafely((words) => this.warn(words), message),
    };
  }

  /**
   * Runs a function while the file is locked, and returns its result.
   *
   * Inside the function, `withLock` and all other methods of the same object use the lock that is
   * already held. If several of them start at once, they run one after the other, and the lock is released after the
   * last. Code that still runs after the function has ended (a promise that nobody awaits) takes the lock anew.
   *
   * Reference: `with locked_file:`.
   *
   * @throws {@link SPLockedFileError} `ELOCKED` when someone else holds the lock for longer than the
   * timeout, or the system's code when the file cannot be opened or locked.
   */
  withLock<T>(fn: () => T | Promise<T>, options?: WithLockOptions): Promise<T> {
    return this.locked((lock) => runInHold(this, lock, fn), options);
  }

  /**
   * Whether the content of the file differs from what this object last read or wrote.
   *
   * Reference: `changed()`, which compares time and size; it misses the second of two writes within one tick of the clock.
   */
  changed(options?: WithLockOptions): Promise<boolean> {
    return this.locked((lock) => {
      return this.#last === undefined || !this.#last.equals(readContent(lock.file, this.fname));
    }, options);
  }

  /**
   * The parsed content.
   *
   * Reference: `jsload()`.
   *
   * @throws {@link SPLockedFileError} `ECORRUPT` when it is not JSON.
   */
  jsload(options?: WithLockOptions): Promise<unknown> {
    return this.locked((lock) => this.load(lock), options);
  }

  /**
   * Replaces the content with a value, whatever it was. Writes nothing if that makes no difference.
   *
   * Reference: `jsdump(obj)`.
   *
   * @throws TypeError for a value that JSON cannot hold; {@link SPLockedFileError} `ECOMPROMISED` when the lock was
   * lost, and then nothing is written; or the system's code, with a message that says whether the file has the old
   * or the new content.
   */
  async jsdump(value: unknown, options?: WithLockOptions): Promise<void> {
    const what = `the content of ${this.fname}`;
    checkDepth(value, what);
    const bytes = formatContent(value, what);
    await this.locked((lock) => this.dump(lock, bytes), options);
  }

  /** As {@link withLock}, for our own code, which receives the lock and runs nobody else's. @internal */
  protected async locked<T>(
    fn: (lock: FileLock) => T | Promise<T>,
    options: WithLockOptions = {},
  ): Promise<T> {
    refuseUnknown('a call of the locked file', options, ['signal', 'timeout']);
    const { signal, timeout = this.#context.options.timeout } = options;
    refuseNoSignal(signal);
    checkTimeout('timeout', timeout);
    signal?.throwIfAborted();
    const outer = currentHold(this);
    const lock = await (outer === undefined
      ? traced('storpool:lock', { fname: this.fname }, () => acquire(this.#context, timeout, signal))
      : this.#inside(outer, timeout, signal));
    try {
      signal?.throwIfAborted();
      // An outer hold may have lasted for long.
      if (outer !== undefined) lock.check();
      return await fn(lock);
    } finally {
      lock.release();
    }
  }

  /** The parsed content; an interrupted write is finished first. @internal */
  protected async load(lock: FileLock): Promise<unknown> {
    const { bytes, content } = await readFinished(lock, this.#context);
    if ('problem' in content) {
      const remedy = `"storpool-attachdb repair --file ${this.fname}" mends it`;
      throw corrupt(this.fname, content.problem, `${describeJournal(lock.path)} ${remedy}`);
    }
    this.#last = bytes;
    return content.value;
  }

  /** Replaces the content. @internal */
  protected async dump(lock: FileLock, bytes: Buffer): Promise<void> {
    await writeContent(lock, bytes, this.#context);
    this.#last = bytes;
  }

  /** Receives warnings that an operator should see and no caller can act on. */
  protected warn(message: string): void {
    process.emitWarning(message, 'SPLockedFileWarning');
  }

  /** The lock of an outer hold, whose calls may keep one another waiting, too. */
  async #inside({ lock, queue }: Hold, timeout: number, signal?: AbortSignal): Promise<FileLock> {
    const deadline = new Deadline(timeout, signal);
    try {
      await queue.enter(deadline);
      return { ...lock, release: () => queue.leave() };
    } catch (reason) {
      if (!deadline.isOver) throw reason;
      const message = `Timed out after ${timeout} ms waiting for another call inside the same withLock() of ${this.fname}`;
      throw new SPLockedFileError('ELOCKED', message);
    } finally {
      deadline.clear();
    }
  }
}
