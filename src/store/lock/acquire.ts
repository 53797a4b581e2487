import { Deadline } from '../../async/deadline.js';
import { poll } from '../../async/poll.js';
import { debugOutput } from '../../observe/debug.js';
import { traced } from '../../observe/tracing.js';
import { warnOnce } from '../../observe/warn-once.js';
import { codeOf, disk, ifThere, isDenied, isFull, type OpenFile } from '../file/disk.js';
import type { ResolvedLockOptions } from '../lock-options.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { lockDirectoryOf } from './holder-record.js';
import { describeHolder } from './holders.js';
import { KernelLockUnavailable, tryKernelLock } from './kernel-lock.js';
import { AbandonedLock, type LockDirectory, tryLockDirectory } from './lock-directory.js';
import { Mutex } from './mutex.js';

const debug = debugOutput('storpool:lock');

/** What a lock is taken with, and told about. */
export interface LockContext {
  /** The path as the user gave it, for messages. */
  fname: string;
  options: ResolvedLockOptions;
  /** Tells an operator. */
  warn(message: string): void;
}

/** The files that this process has locked or waits for, by their canonical paths. */
const mutexes = new Map<string, Mutex>();
/** The paths of those that it has locked. */
const held = new Set<string>();

/**
 * Locks a file, and runs a function while it is.
 *
 * @param timeout - milliseconds
 * @throws {@link SPLockedFileError} `ELOCKED` after the timeout, or the system's code; the signal's reason.
 */
export async function withFileLock<T>(
  context: LockContext,
  fn: (lock: FileLock) => Promise<T>,
  timeout: number,
  signal?: AbortSignal,
): Promise<T> {
  const lock = await traced('storpool:lock', { fname: context.fname }, () =>
    acquire(context, timeout, signal),
  );
  try {
    return await fn(lock);
  } finally {
    await lock.release();
  }
}

async function acquire(context: LockContext, timeout: number, signal?: AbortSignal): Promise<FileLock> {
  const { fname } = context;
  const deadline = new Deadline(timeout, signal);
  try {
    const path = disk.realpath(fname);
    const mutex = mutexes.get(path) ?? new Mutex();
    mutexes.set(path, mutex);
    await mutex.acquire(deadline.signal);
    const leave = () => {
      held.delete(path);
      mutex.release();
      if (mutex.isFree) mutexes.delete(path);
    };
    const abandoned = new AbandonedLock(path);
    const attempt = () => tryBoth(context, path, abandoned, leave);
    const lock = await poll(attempt, deadline.signal).catch((error: unknown) => {
      leave();
      throw error;
    });
    held.add(path);
    if (!deadline.signal.aborted) return lock;
    await lock.release();
    throw deadline.signal.reason;
  } catch (error) {
    if (deadline.isOver) throw lockTimedOut(fname, timeout);
    throw deadline.signal.aborted ? deadline.signal.reason : cannotLock(fname, error);
  } finally {
    deadline.clear();
  }
}

/** Neither lock is kept while the other one is waited for. @returns `undefined` when somebody has one of them */
async function tryBoth(
  context: LockContext,
  path: string,
  abandoned: AbandonedLock,
  onRelease: () => void,
): Promise<FileLock | undefined> {
  const file = disk.open(path, 'r+');
  let lock: FileLock | undefined;
  try {
    const kernelLock = await tryKernel(context, file);
    if (kernelLock === 'taken') return undefined;
    if (!isAt(path, file)) {
      debug('%s was replaced while we waited for it', path);
      return undefined;
    }
    const directory = await tryDirectory(context, path, kernelLock === 'ours', abandoned);
    if (directory === 'taken') return undefined;
    lock = new FileLock(context, path, file, { kernelLock: kernelLock === 'ours', directory, onRelease });
    return lock;
  } finally {
    if (lock === undefined) file.close();
  }
}

async function tryKernel(
  { fname, options, warn }: LockContext,
  file: OpenFile,
): Promise<'ours' | 'taken' | 'unavailable'> {
  if (options.kernelLock === 'off') return 'unavailable';
  try {
    return (await tryKernelLock(file.fd)) ? 'ours' : 'taken';
  } catch (error) {
    if (!(error instanceof KernelLockUnavailable)) throw error;
    const remedy = 'install the npm package koffi or the flock program of util-linux';
    if (options.kernelLock === 'required') {
      throw new SPLockedFileError(
        'ENOTSUP',
        `Cannot take the kernel lock on ${fname}, which is required: ${error.message}; ${remedy}`,
        { cause: error },
      );
    }
    warnOnce(
      warn,
      `kernel lock ${fname}`,
      `Cannot take the kernel lock on ${fname}: ${error.message}. The lock directory alone does not keep Python services out; ${remedy}`,
    );
    return 'unavailable';
  }
}

/** @returns `undefined` where no lock directory can be made, but the kernel lock serves */
async function tryDirectory(
  { fname, options, warn }: LockContext,
  path: string,
  kernelLock: boolean,
  abandoned: AbandonedLock,
): Promise<LockDirectory | 'taken' | undefined> {
  try {
    return (await tryLockDirectory(path, { stale: options.stale, kernelLock }, abandoned)) ?? 'taken';
  } catch (error) {
    if (!kernelLock || !(isDenied(error) || isFull(error))) throw error;
    const remedy = isFull(error) ? 'make room there' : "let the directory be writable for this user's group";
    warnOnce(
      warn,
      `lock directory ${fname}`,
      `Cannot make ${lockDirectoryOf(path)}: ${(error as Error).message}. The kernel lock alone guards ${fname}, which programs that use only proper-lockfile do not see; ${remedy}`,
    );
    return undefined;
  }
}

/** How a lock is held. */
interface Held {
  kernelLock: boolean;
  directory: LockDirectory | undefined;
  onRelease: () => void;
}

/** How long a holder of the kernel lock waits for a lock directory that was taken from it. Milliseconds. */
const RETAKE_TIME = 2000;

/** A file that is open and locked for us: by the kernel lock, the lock directory, or both. */
export class FileLock {
  readonly file: OpenFile;
  /** The canonical path. */
  readonly path: string;
  readonly #context: LockContext;
  readonly #held: Held;
  /** What the file holds, as far as we have read or written it under this lock. */
  content: Buffer | undefined;
  /** Once the lock was somebody else's, what this hold knows of the file is worth nothing. */
  #compromised: SPLockedFileError | undefined;

  constructor(context: LockContext, path: string, file: OpenFile, held: Held) {
    this.#context = context;
    this.path = path;
    this.file = file;
    this.#held = held;
  }

  /**
   * Makes sure that the lock is ours. With the kernel lock in hand a lock directory that was taken from us is
   * taken again.
   *
   * @returns whether it had to be: somebody without the kernel lock may have changed the file
   * @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock is no longer ours.
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

  /** From now on every check fails. @returns the error that they throw */
  markCompromised(problem: string, cause?: unknown): SPLockedFileError {
    this.#compromised = new SPLockedFileError(
      'ECOMPROMISED',
      `The lock on ${this.#context.fname} was lost: ${problem}. Nothing was written; run the whole operation again`,
      { cause },
    );
    return this.#compromised;
  }

  /** A file that is no longer at its path is locked for us alone, and what is written there is lost. */
  #checkIsAtPath(): void {
    const { fname } = this.#context;
    let isThere: boolean;
    try {
      isThere = isAt(this.path, this.file);
    } catch (cause) {
      const message = `Cannot lock ${fname} any longer: ${(cause as Error).message}; nothing was changed`;
      throw new SPLockedFileError(codeOf(cause) ?? 'EIO', message, { cause });
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
        const directory = await tryDirectory(this.#context, this.path, true, abandoned);
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

  /** Never fails: what was done under the lock is done. */
  async release(): Promise<void> {
    const { fname, warn } = this.#context;
    try {
      await this.#held.directory?.release();
    } catch (error) {
      const directory = lockDirectoryOf(this.path);
      warn(`Cannot remove ${directory}, which delays the next holder: ${(error as Error).message}`);
    }
    try {
      this.file.close();
    } catch (error) {
      warn(`Closing ${fname} reports an error: ${(error as Error).message}`);
    }
    // What was begun inside of the hold may go on for long, and keeps it.
    this.#held.directory = undefined;
    this.content = undefined;
    debug('%s: unlocked', fname);
    this.#held.onRelease();
  }
}

/** Whether the file that is open is still the one at that path. */
function isAt(path: string, file: OpenFile): boolean {
  const ours = file.stat();
  const there = ifThere(() => disk.stat(path));
  return there !== undefined && ours.ino === there.ino && ours.dev === there.dev;
}

/** The error of a call that has waited for the lock on a file for so many milliseconds. */
export function lockTimedOut(fname: string, timeout: number): SPLockedFileError {
  return new SPLockedFileError(
    'ELOCKED',
    `${fname} could not be locked within ${Math.round(timeout)} ms: ${holderOf(fname)}. Try again, or raise lock.timeout`,
  );
}

function holderOf(fname: string): string {
  try {
    const path = disk.realpath(fname);
    return held.has(path) ? 'other calls of this very process are before this one' : describeHolder(path);
  } catch (error) {
    return (error as Error).message;
  }
}

function cannotLock(fname: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof SPLockedFileError) return error;
  const message = `Cannot lock ${fname}: ${(error as Error).message}${remedy(code)}`;
  return new SPLockedFileError(code, message, { cause: error });
}

function remedy(code: string): string {
  switch (code) {
    case 'ENOENT':
      return '. Create it with the content {}, mode 0660 and the group of the OpenStack services';
    case 'EACCES':
    case 'EPERM':
      return '. Let this user be in the group of the file and of its directory, and let both be writable for it';
    default:
      return '';
  }
}
