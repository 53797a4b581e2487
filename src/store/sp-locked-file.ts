import { AsyncLocalStorage } from 'node:async_hooks';
import { onAbort } from '../async/abort.js';
import { Deadline } from '../async/deadline.js';
import { logSafely } from '../observe/log-safely.js';
import { checkDepth, copyOf, examine, formatContent } from './file/content.js';
import { keepBackupYoung, overwriteBroken, readContent, writeSafely } from './file/crash-safe-write.js';
import { readRestoredNote, readWhole, restoredPath } from './file/restore.js';
import type { FileLock as HeldLock } from './file-lock.js';
import { lockTimedOut, withFileLock } from './lock/acquire.js';
import { checkNow, type FileLock } from './lock/file-lock.js';
import { currentHold, type Hold, runInHold } from './lock/reentrancy.js';
import { type Job, SharedHold } from './lock/shared-hold.js';
import { type LockContext, type LockOptions, resolveLockOptions } from './lock-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

/** The options of {@link SPLockedFile.withLock}. */
export interface WithLockOptions {
  /** Ends the wait for the lock at once; `withLock` then throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /** How long to wait for the lock, in milliseconds. Default: the `timeout` of the lock options. */
  timeout?: number | undefined;
  /** What the lock is for, for example `rebuild of the cache`; others see it if they time out waiting for the lock. */
  purpose?: string | undefined;
}

/**
 * A JSON file that several processes use, one at a time. The file must exist.
 *
 * It survives a kill or a power cut at any moment: a complete copy is kept in `FILE.backup`, and whoever has
 * the kernel lock and finds the file torn restores it from there. After a restore from a copy that may be old, there is
 * `FILE.restored` until an operator removes it. This works for objects, lists and strings, but not for a bare number,
 * because a torn number may look like a whole one.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedFile`.
 */
export class SPLockedFile {
  /** The path as it was given. */
  readonly fname: string;
  readonly #context: LockContext;
  /** The shared hold that calls can still join. */
  #joinable: SharedHold | undefined;
  /** What was last read or written, and its parsed value if there is one. */
  #last: { bytes: Buffer; parsed?: { value: unknown } } | undefined;

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
  async withLock<T>(fn: () => T | Promise<T>, options: WithLockOptions = {}): Promise<T> {
    const { signal, timeout = this.#context.options.timeout, purpose } = options;
    signal?.throwIfAborted();
    const outer = currentHold(this);
    if (outer !== undefined) return this.#withinHold(outer, fn, timeout, signal);
    // Later calls must not get in before this one.
    this.#joinable = undefined;
    const context = { ...this.#context, purpose };
    return withFileLock(context, (lock) => runInHold(this, lock, fn), timeout, signal);
  }

  /**
   * Like {@link withLock}, for calls that can share a hold: those of this object that wait at the same time are served
   * one after the other by whoever gets the lock, each in its own asynchronous context. A `withLock()` in between
   * keeps the order. Inside `withLock()`, it is the same as that.
   *
   * @param fn - receives an object that stands for the hold, the same for all calls that share it
   */
  protected withSharedLock<T>(fn: (hold: object) => Promise<T>, options?: WithLockOptions): Promise<T> {
    return this.withSharedItems((_items, hold) => fn(hold), undefined, options);
  }

  /**
   * Like {@link withSharedLock}, but consecutive calls with the same `fn` become one call of it, with the
   * items of all, and share its outcome.
   */
  protected async withSharedItems<I, T>(
    fn: (items: I[], hold: object) => Promise<T>,
    item: I,
    options: WithLockOptions = {},
  ): Promise<T> {
    if (currentHold(this)) return this.withLock(() => fn([item], currentHold(this) as Hold), options);
    const { signal, timeout = this.#context.options.timeout, purpose } = options;
    signal?.throwIfAborted();
    const deadline = new Deadline(timeout, signal);
    try {
      return await new Promise<T>((resolve, reject) => {
        const inOwnContext = AsyncLocalStorage.snapshot();
        const job: Job = {
          work: fn,
          item,
          run: (lock, items) => inOwnContext(() => runInHold(this, lock, () => fn(items as I[], lock))),
          settle: (outcome) =>
            outcome.status === 'fulfilled' ? resolve(outcome.value as T) : reject(outcome.reason),
        };
        const hold = this.#sharedHold(purpose);
        hold.add(job);
        onAbort(deadline.signal, () =>
          hold.leave(job, deadline.isOver ? lockTimedOut(this.fname, timeout) : deadline.signal.reason),
        );
      });
    } finally {
      deadline.clear();
    }
  }

  /**
   * Whether the content of the file differs from what this object last read or wrote.
   *
   * Reference: `changed()`, which compares time and size; it misses the second of two writes within one tick of the clock.
   */
  changed(options?: WithLockOptions): Promise<boolean> {
    return this.#withFile(async (lock) => {
      const bytes = await this.#read(lock);
      return this.#last === undefined || !this.#last.bytes.equals(bytes);
    }, options);
  }

  /**
   * The parsed content: a copy, which the caller may change.
   *
   * Reference: `jsload()`.
   *
   * @throws {@link SPLockedFileError} `ECORRUPT` when it is not JSON and cannot be restored.
   */
  async jsload(options?: WithLockOptions): Promise<unknown> {
    return copyOf(await this.loadShared(options), this.fname);
  }

  /**
   * Replaces the content with a value. Writes nothing if that makes no difference.
   *
   * Reference: `jsdump(obj)`.
   *
   * @throws TypeError for a value that JSON cannot hold; {@link SPLockedFileError} `ECOMPROMISED` when the lock was
   * lost, and then nothing is written; or the system's code, with a message that says whether the file has the old
   * or the new content.
   */
  async jsdump(value: unknown, options?: WithLockOptions): Promise<void> {
    const bytes = formatContent(value);
    checkDepth(value, `The content of ${this.fname}`);
    await this.#withFile(async (lock) => {
      const old = await this.#read(lock);
      if (examine(old, this.fname).state === 'whole') await this.#write(lock, bytes);
      else await overwriteBroken(lock, bytes, this.#context);
    }, options);
    this.#last = { bytes };
  }

  /**
   * The parsed content, not to be changed: as long as the file stays the same it is the same object.
   *
   * @param check - throws for what the file must not hold; the copy beside it then stays as it is
   */
  protected loadShared(options?: WithLockOptions, check?: (value: unknown) => void): Promise<unknown> {
    return this.#withFile(async (lock) => {
      const bytes = await this.#read(lock);
      let parsed = this.#last?.bytes.equals(bytes) ? this.#last.parsed : undefined;
      if (parsed === undefined) {
        const content = await readWhole(lock, this.#context);
        parsed = { value: content.value };
        this.#last = { bytes: content.bytes, parsed };
      }
      check?.(parsed.value);
      await this.#checkBackup(lock);
      return parsed.value;
    }, options);
  }

  /** As {@link jsdump}, with a value that nobody will change any more, inside the hold in which the file was loaded. */
  protected async dumpShared(value: unknown): Promise<void> {
    const bytes = formatContent(value, `the content of ${this.fname}`);
    await this.#withFile((lock) => this.#write(lock, bytes));
    this.#last = { bytes, parsed: { value } };
  }

  /** @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock that this context holds was lost. */
  protected checkLock(): Promise<void> {
    return this.#withFile((lock) => this.#check(lock));
  }

  /** What `FILE.restored` says of a file that may be an old one, once it has been loaded inside this hold. */
  protected get restoredNote(): string | undefined {
    return currentHold(this)?.lock.restoredNote;
  }

  /** As {@link withLock}; the function gets the lock. @internal */
  protected locked<T>(fn: (lock: HeldLock) => T | Promise<T>, options?: WithLockOptions): Promise<T> {
    return this.withLock(() => {
      const { lock } = currentHold(this) as Hold;
      return fn({ check: () => checkNow(lock) });
    }, options);
  }

  /** Whether this asynchronous context is inside a hold of this object. @internal */
  protected get isLocked(): boolean {
    return currentHold(this) !== undefined;
  }

  /** Receives warnings that an operator should see and no caller can act on. */
  protected warn(message: string): void {
    process.emitWarning(message, 'SPLockedFileWarning');
  }

  #sharedHold(purpose: string | undefined): SharedHold {
    if (this.#joinable?.isOpen) return this.#joinable;
    this.#joinable = new SharedHold();
    const context = { ...this.#context, purpose };
    this.#joinable.serve((serve, signal) => withFileLock(context, serve, Number.POSITIVE_INFINITY, signal));
    return this.#joinable;
  }

  /** Calls inside the same hold may keep one another waiting, too. */
  async #withinHold<T>(
    { lock, mutex }: Hold,
    fn: () => T | Promise<T>,
    timeout: number,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const deadline = new Deadline(timeout, signal);
    try {
      await mutex.acquire(deadline.signal);
    } catch (reason) {
      if (!deadline.isOver) throw reason;
      throw new SPLockedFileError(
        'ELOCKED',
        `Timed out after ${timeout} ms waiting for another call inside the same withLock() of ${this.fname}`,
      );
    } finally {
      deadline.clear();
    }
    try {
      return await runInHold(this, lock, fn);
    } finally {
      mutex.release();
    }
  }

  #withFile<T>(fn: (lock: FileLock) => Promise<T>, options?: WithLockOptions): Promise<T> {
    return this.withLock(() => fn((currentHold(this) as Hold).lock), options);
  }

  #write(lock: FileLock, bytes: Buffer): Promise<void> {
    return writeSafely(lock, bytes, this.#context, () => this.#check(lock));
  }

  /** Runs once in a hold, when the file is whole. */
  async #checkBackup(lock: FileLock): Promise<void> {
    if (lock.isBackupChecked) return;
    lock.isBackupChecked = true;
    await keepBackupYoung(lock, readContent(lock, this.fname), this.#context);
    lock.restoredNote = readRestoredNote(lock.path);
    if (lock.restoredNote === undefined) return;
    const note = restoredPath(lock.path);
    this.#context.warn(
      `${this.fname} may lack recent changes, because it was restored from an older copy (see ${note}). Compare it with what is attached to this host, then remove ${note}`,
    );
  }

  async #read(lock: FileLock): Promise<Buffer> {
    await this.#check(lock);
    return readContent(lock, this.fname);
  }

  /** If the lock had to be taken again, the file must still have the content that this hold has read. */
  async #check(lock: FileLock): Promise<void> {
    const tookAgain = await lock.check();
    const before = lock.content;
    if (!tookAgain || before === undefined) return;
    lock.content = undefined;
    if (!before.equals(readContent(lock, this.fname))) {
      throw lock.markCompromised(
        'another program changed the file while this one could not refresh its lock directory',
      );
    }
  }
}
