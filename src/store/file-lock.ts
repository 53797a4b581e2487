import type { BigIntStats } from 'node:fs';
import { dirname } from 'node:path';
import { untilAborted } from '../async/abort.js';
import { Deadline } from '../async/deadline.js';
import { inNextTurn } from '../async/event-loop.js';
import { sleep } from '../async/sleep.js';
import { warnOnce } from '../observe/warn-once.js';
import { closeSafely, codeOf, type Descriptor, disk, diskError, isDenied, isFull } from './disk.js';
import { KernelLockUnavailable, loadKernelLock, type TryKernelLock } from './kernel-lock.js';
import {
  type LockDirectory,
  type LockSync,
  loadLockSync,
  lockDirectoryOf,
  tryLockDirectory,
} from './lock-directory.js';
import { lockTimedOut } from './lock-holder.js';
import type { LockContext } from './lock-options.js';
import { FileQueue } from './queue.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

/** Milliseconds between attempts, at first and at most. Shortened at random, so that waiters do not stay in step. */
const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 25;

/** An open file that we have locked: with the kernel lock, the lock directory, or both. */
export interface FileLock {
  /** The canonical path. */
  readonly path: string;
  readonly file: Descriptor;
  readonly hasKernelLock: boolean;
  /** To be called before anything is changed under the lock. @throws {@link SPLockedFileError} `ECOMPROMISED` */
  check(): void;
  /** Never fails, because what was done under the lock is done. */
  release(): void;
}

/** The callers in this process that want a file, by its canonical path. */
const queues = new Map<string, FileQueue>();
/** Whether the packages that take both locks are loaded. */
let isLoaded = false;
/** The files on which the kernel lock has worked. From then on, a lock without it is refused, unless it is `off`. */
const kernelLockWorks = new Set<string>();

/**
 * Waits until a file is locked: first for the other callers of this process, then for other processes.
 *
 * @throws {@link SPLockedFileError} `ELOCKED` after the timeout, or the system's code; the signal's reason.
 */
export async function acquire(
  context: LockContext,
  timeout: number,
  signal?: AbortSignal,
): Promise<FileLock> {
  const { fname, options } = context;
  const deadline = new Deadline(timeout, signal);
  let isQueued = true;
  try {
    let path = disk.realpath(fname);
    const queue = queues.get(path) ?? new FileQueue();
    queues.set(path, queue);
    await queue.enter(deadline);
    isQueued = false;
    try {
      // Our own gap does not count as waiting.
      const { gap } = queue;
      if (gap !== undefined) await untilAborted(() => gap, signal);
      // Loaded by the first lock, because a program that takes none should start sooner. If no descriptor is left, it fails
      // here: an import that failed is never tried again, and without koffi there may be no kernel lock.
      if (!isLoaded) closeSafely(disk.open(fname, 'r+'));
      const tryKernelLock = options.kernelLock === 'off' ? undefined : await loadKernelLock();
      const lockSync = await loadLockSync();
      isLoaded ||= tryKernelLock !== undefined;
      for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
        const lock = tryBoth(context, path, queue, tryKernelLock, lockSync);
        if (lock !== undefined) return lock;
        await sleep(pause * (1 - Math.random() / 2), deadline.signal);
        path = disk.realpath(fname);
      }
    } catch (error) {
      queue.leave();
      throw error;
    }
  } catch (error) {
    if (deadline.isOver) throw lockTimedOut(fname, timeout, isQueued);
    throw signal?.aborted ? signal.reason : cannotLock(fname, error);
  } finally {
    deadline.clear();
  }
}

/** Takes both locks or neither, so that nobody has one while it waits for the other. @returns `undefined` if that was not possible now */
function tryBoth(
  context: LockContext,
  path: string,
  queue: FileQueue,
  tryKernelLock: TryKernelLock | undefined,
  lockSync: LockSync,
): FileLock | undefined {
  const { fname } = context;
  const file = disk.open(fname, 'r+');
  let lock: FileLock | undefined;
  try {
    const stats = disk.fstat(file);
    if (!stats.isFile()) {
      const message = 'it is no regular file: move it away, and put the file in its place';
      throw Object.assign(new Error(message), { code: 'EINVAL' });
    }
    const kernelLock = takeKernelLock(context, path, file, tryKernelLock);
    // Another file may have been put there, or a link may lead elsewhere by now.
    if (kernelLock === 'taken' || !isAt(path, stats)) return undefined;
    const hasKernelLock = kernelLock === 'ours';
    if (hasKernelLock) kernelLockWorks.add(path);
    const directory = takeDirectory(context, path, hasKernelLock, lockSync);
    if (directory !== 'taken') lock = held(context, queue, stats, { path, file, hasKernelLock }, directory);
    return lock;
  } finally {
    if (lock === undefined) closeSafely(file);
  }
}

/** @returns `none` if there is no kernel lock, and that is allowed */
function takeKernelLock(
  { fname, options, warn }: LockContext,
  path: string,
  file: Descriptor,
  tryKernelLock: TryKernelLock | undefined,
): 'ours' | 'taken' | 'none' {
  if (tryKernelLock === undefined) return 'none';
  try {
    return tryKernelLock(file);
  } catch (cause) {
    if (!(cause instanceof KernelLockUnavailable)) throw cause;
    const remedy = 'install the npm package koffi or the flock program of util-linux';
    const hasWorked = kernelLockWorks.has(path);
    if (options.kernelLock === 'required' || hasWorked) {
      const why = hasWorked ? 'which has worked before' : 'which is required';
      const message = `Cannot take the kernel lock on ${fname}, ${why}: ${cause.message}; ${remedy}`;
      throw new SPLockedFileError('ENOTSUP', message, { cause });
    }
    const message = `Cannot take the kernel lock on ${fname}: ${cause.message}. The lock directory alone does not keep Python services out: ${remedy}`;
    warnOnce(warn, `kernel lock ${fname}`, message);
    return 'none';
  }
}

/** @returns `undefined` if there can be no directory, and the kernel lock is enough */
function takeDirectory(
  { fname, options, warn }: LockContext,
  path: string,
  hasKernelLock: boolean,
  lockSync: LockSync,
): LockDirectory | 'taken' | undefined {
  try {
    return tryLockDirectory(lockSync, path, hasKernelLock, options.stale);
  } catch (error) {
    const isObstructed = ['ENOTDIR', 'ENOTEMPTY', 'ELOOP'].includes(codeOf(error) ?? '');
    if (!hasKernelLock || !(isObstructed || isDenied(error) || isFull(error))) throw error;
    const remedy = isFull(error) ? 'make room there' : "make the directory writable for this user's group";
    const message = `Cannot create ${lockDirectoryOf(path)}: ${(error as Error).message}. Only the kernel lock guards ${fname}, and programs that use only proper-lockfile do not see it: ${isObstructed ? 'remove what is there' : remedy}`;
    warnOnce(warn, `lock directory ${fname}`, message);
    return undefined;
  }
}

/** Whether the file that we have opened is still the one at that path. */
function isAt(path: string, ours: BigIntStats): boolean {
  const there = disk.stat(path);
  return ours.ino === there?.ino && ours.dev === there.dev;
}

const held = (
  { fname, warn }: LockContext,
  queue: FileQueue,
  stats: BigIntStats,
  lock: Pick<FileLock, 'path' | 'file' | 'hasKernelLock'>,
  directory: LockDirectory | undefined,
): FileLock => ({
  ...lock,
  check() {
    try {
      if (!isAt(fname, stats)) throw new Error('another program put a new file in its place');
      directory?.check();
    } catch (cause) {
      if (![undefined, 'ECOMPROMISED'].includes(codeOf(cause))) {
        throw diskError(cause, `Cannot check the lock on ${fname}`, 'nothing was changed since');
      }
      const message = `The lock on ${fname} was lost: ${(cause as Error).message}. Nothing was written since; run the whole operation again`;
      throw new SPLockedFileError('ECOMPROMISED', message, { cause });
    }
  },
  release() {
    try {
      directory?.release();
    } catch (error) {
      warn(
        `Cannot remove ${lockDirectoryOf(lock.path)}, so others may have to wait: ${(error as Error).message}`,
      );
    }
    // Code that was started inside the hold may keep this object for a long time, and with it a chain of others.
    directory = undefined;
    closeSafely(lock.file);
    // At once, calls in a loop would let no timer run.
    inNextTurn(() => queue.leave());
  },
});

/** The error of a call that could not lock a file, with a remedy. */
function cannotLock(fname: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof SPLockedFileError || !(error instanceof Error)) return error;
  const message = `Cannot lock ${fname}: ${error.message}${remedyFor(code, fname)}`;
  return new SPLockedFileError(code, message, { cause: error });
}

function remedyFor(code: string, fname: string): string {
  const directory = dirname(fname);
  if (code === 'EISDIR') return '. Move it away, and put the file in its place';
  if (code === 'EACCES' || code === 'EPERM') {
    return '. Let this user be in the group of the file and of its directory, and let both be writable for it';
  }
  if (code !== 'ENOENT') return '';
  if (!disk.exists(directory)) {
    return `. Create the directory ${directory}, mode 0770 and the group of the OpenStack services, and the file in it`;
  }
  if (disk.lstat(fname) !== undefined)
    return '. It is a link that leads nowhere: correct it, or put the file in its place';
  return '. Create it with the content {}, mode 0660 and the group of the OpenStack services';
}
