import { Deadline } from '../../async/deadline.js';
import { yieldToEventLoop } from '../../async/event-loop.js';
import { poll } from '../../async/poll.js';
import { debugOutput } from '../../observe/debug.js';
import { disk, diskError, ifThere, type OpenFile } from '../file/disk.js';
import type { LockContext } from '../lock-options.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { lockDirectoryOf } from './holder-record.js';
import { AbandonedLock, isReplaced, type LockDirectory } from './lock-directory.js';

const debug = debugOutput('storpool:lock');

/** How a lock is held. */
interface Held {
  kernelLock: boolean;
  directory: LockDirectory | undefined;
  /** Tries to make the lock directory again. */
  tryDirectory: (abandoned: AbandonedLock) => Promise<LockDirectory | 'taken' | undefined>;
  onRelease: () => void;
}

/** How long a holder of the kernel lock waits for a lock directory that it has lost. Milliseconds. */
const RETAKE_TIME = 2000;

/** An open file that we have locked: with the kernel lock, the lock directory, or both. */
export class FileLock {
  readonly file: OpenFile;
  /** The canonical path. */
  readonly path: string;
  readonly #context: LockContext;
  readonly #held: Held;
  /** The content of the file, once it was read or written under this lock. */
  content: Buffer | undefined;
  /** Whether that content is certainly on the disk. */
  isFlushed = false;
  /** Whether the copy beside the file has been checked under this lock. */
  isBackupChecked = false;
  /** The note of a restore from a copy that may be old, as it was then. */
  restoredNote: string | undefined;
  /** Set once the lock was lost: from then on, what this hold knows of the file may be wrong. */
  #compromised: SPLockedFileError | undefined;

  constructor(context: LockContext, path: string, file: OpenFile, held: Held) {
    this.#context = context;
    this.path = path;
    this.file = file;
    this.#held = held;
  }

  get hasKernelLock(): boolean {
    return this.#held.kernelLock;
  }

  /** Whether nobody else has the lock, or only somebody who does not use the copy beside the file. */
  get isOurs(): boolean {
    return this.#compromised === undefined || (this.#held.kernelLock && isAt(this.path, this.file));
  }

  /**
   * Makes sure that the lock is still ours. With the kernel lock, it takes a lost lock directory again.
   *
   * @returns whether it had to: then somebody without the kernel lock may have changed the file
   * @throws {@link SPLockedFileError} `ECOMPROMISED` if the lock was lost.
   */
  async check(): Promise<boolean> {
    if (this.#compromised !== undefined) throw this.#compromised;
    this.#checkIsAtPath();
    try {
      await this.#held.directory?.check();
      return false;
    } catch (cause) {
      if (!this.#held.kernelLock) throw this.markCompromised((cause as Error).message, cause);
      debug('%s: the lock directory is lost (%s)', this.path, (cause as Error).message);
      await this.#takeDirectoryAgain();
      return true;
    }
  }

  /**
   * This process may have been stopped just before it wrote, and may have lost its lock directory meanwhile.
   *
   * @throws {@link SPLockedFileError} `ECOMPROMISED`
   */
  async checkAfterWrite(): Promise<void> {
    let cause: unknown;
    try {
      if (!(await this.check())) return;
    } catch (error) {
      cause = error;
    }
    throw this.markCompromised(
      'somebody else took it while the file was written',
      cause,
      'The new content is in the file, and may have overwritten what they wrote: compare both',
    );
  }

  /** Makes every later check fail. @returns the error that they throw */
  markCompromised(problem: string, cause?: unknown, state = 'Nothing was written'): SPLockedFileError {
    this.#compromised = new SPLockedFileError(
      'ECOMPROMISED',
      `The lock on ${this.#context.fname} was lost: ${problem}. ${state}; run the whole operation again`,
      { cause },
    );
    return this.#compromised;
  }

  /** If another file is at the path, our lock guards nothing, and what we write is lost. */
  #checkIsAtPath(): void {
    const { fname } = this.#context;
    let isThere: boolean;
    try {
      isThere = isAt(this.path, this.file);
    } catch (cause) {
      throw diskError(cause, `Cannot lock ${fname} any longer`, 'nothing was changed');
    }
    if (!isThere) throw this.markCompromised('another program put a new file in its place');
  }

  async #takeDirectoryAgain(): Promise<void> {
    const deadline = new Deadline(Math.min(this.#context.options.timeout, RETAKE_TIME));
    const abandoned = new AbandonedLock(this.path);
    try {
      await this.#held.directory?.release();
      this.#held.directory = undefined;
      await poll(async () => {
        const directory = await this.#held.tryDirectory(abandoned);
        if (directory === 'taken') return undefined;
        this.#held.directory = directory;
        return true;
      }, deadline.signal);
    } catch (error) {
      throw this.markCompromised('its lock directory was taken over and is not given back', error);
    } finally {
      deadline.clear();
    }
  }

  /** Never fails, because what was done under the lock is done. */
  async release(): Promise<void> {
    const { fname, warn } = this.#context;
    try {
      await this.#held.directory?.release();
    } catch (error) {
      const directory = lockDirectoryOf(this.path);
      warn(`Cannot remove ${directory}, so the next holder must wait: ${(error as Error).message}`);
    }
    try {
      this.file.close();
    } catch (error) {
      warn(`Error while closing ${fname}: ${(error as Error).message}`);
    }
    // Code that was started inside the hold may keep this object for a long time.
    this.#held.directory = undefined;
    this.content = undefined;
    debug('%s: unlocked', fname);
    // Otherwise, calls in a loop would let no timer run.
    await yieldToEventLoop();
    this.#held.onRelease();
  }
}

/** Whether the open file is still the one at that path. */
export function isAt(path: string, file: OpenFile): boolean {
  const ours = file.stat();
  const there = ifThere(() => disk.stat(path));
  return there !== undefined && ours.ino === there.ino && ours.dev === there.dev;
}

/** @throws {@link SPLockedFileError} `ECOMPROMISED` if the file or the lock directory is another one. */
export function checkNow(lock: FileLock): void {
  if (!isAt(lock.path, lock.file)) throw lock.markCompromised('another program put a new file in its place');
  if (isReplaced(lock.path)) throw lock.markCompromised('its lock directory was taken over');
}
