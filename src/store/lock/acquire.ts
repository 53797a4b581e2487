import { Deadline } from '../../async/deadline.js';
import { poll } from '../../async/poll.js';
import { debugOutput } from '../../observe/debug.js';
import { traced } from '../../observe/tracing.js';
import { warnOnce } from '../../observe/warn-once.js';
import { disk, isDenied, isFull, type OpenFile } from '../file/disk.js';
import type { LockContext } from '../lock-options.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { FileLock, isAt } from './file-lock.js';
import { FileQueue } from './file-queue.js';
import { lockDirectoryOf } from './holder-record.js';
import { KernelLockUnavailable, tryKernelLock } from './kernel-lock.js';
import {
  AbandonedLock,
  type LockDirectory,
  LockDirectoryObstructed,
  tryLockDirectory,
} from './lock-directory.js';
import { cannotLock, describeHolder } from './lock-errors.js';

const debug = debugOutput('storpool:lock');

/** The callers in this process that want a file, by its canonical path. */
const queues = new Map<string, FileQueue>();
/** The files on which the kernel lock has worked. From then on, a lock without it is refused. */
const kernelLockWorks = new Set<string>();

/**
 * Runs a function while a file is locked.
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
    const queue = queues.get(path) ?? new FileQueue();
    queues.set(path, queue);
    await queue.enter(deadline.signal);
    const abandoned = new AbandonedLock(path);
    const attempt = () => tryBoth(context, path, abandoned, () => queue.leave());
    const lock = await poll(attempt, deadline.signal).catch((error: unknown) => {
      queue.leave();
      throw error;
    });
    queue.lock();
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

/** Keeps both locks or neither, never one while waiting for the other. @returns `undefined` if somebody has one of them */
async function tryBoth(
  context: LockContext,
  path: string,
  abandoned: AbandonedLock,
  onRelease: () => void,
): Promise<FileLock | undefined> {
  const file = disk.open(path, 'r+');
  let lock: FileLock | undefined;
  try {
    if (!file.stat().isFile())
      throw Object.assign(new Error('it is no regular file: move it away, and put the file in its place'), {
        code: 'EINVAL',
      });
    const kernelLock = await tryKernel(context, path, file);
    if (kernelLock === 'taken') return undefined;
    if (!isAt(path, file)) {
      debug('%s was replaced while we waited for it', path);
      return undefined;
    }
    const directory = await tryDirectory(context, path, file, kernelLock === 'ours', abandoned);
    if (directory === 'taken') return undefined;
    lock = new FileLock(context, path, file, {
      kernelLock: kernelLock === 'ours',
      directory,
      tryDirectory: (seen) => tryDirectory(context, path, file, true, seen),
      onRelease,
    });
    return lock;
  } finally {
    if (lock === undefined) file.close();
  }
}

async function tryKernel(
  { fname, options, warn }: LockContext,
  path: string,
  file: OpenFile,
): Promise<'ours' | 'taken' | 'unavailable'> {
  if (options.kernelLock === 'off') return 'unavailable';
  try {
    if (!(await tryKernelLock(file.fd))) return 'taken';
    kernelLockWorks.add(path);
    return 'ours';
  } catch (error) {
    if (!(error instanceof KernelLockUnavailable)) throw error;
    const remedy = 'install the npm package koffi or the flock program of util-linux';
    const hasWorked = kernelLockWorks.has(path);
    if (options.kernelLock === 'required' || hasWorked) {
      const why = hasWorked ? 'which has worked before' : 'which is required';
      throw new SPLockedFileError(
        'ENOTSUP',
        `Cannot take the kernel lock on ${fname}, ${why}: ${error.message}; ${remedy}`,
        { cause: error },
      );
    }
    warnOnce(
      warn,
      `kernel lock ${fname}`,
      `Cannot take the kernel lock on ${fname}: ${error.message}. The lock directory alone does not keep Python services out: ${remedy}`,
    );
    return 'unavailable';
  }
}

/** @returns `undefined` if no lock directory can be made, but the kernel lock is enough */
async function tryDirectory(
  context: LockContext,
  path: string,
  file: OpenFile,
  kernelLock: boolean,
  abandoned: AbandonedLock,
): Promise<LockDirectory | 'taken' | undefined> {
  try {
    return (await tryLockDirectory(path, file, kernelLock, context, abandoned)) ?? 'taken';
  } catch (error) {
    const isObstructed = error instanceof LockDirectoryObstructed;
    if (!kernelLock || !(isObstructed || isDenied(error) || isFull(error))) throw error;
    const { fname, warn } = context;
    const remedy = isObstructed
      ? 'remove what is there'
      : isFull(error)
        ? 'make room there'
        : "make the directory writable for this user's group";
    warnOnce(
      warn,
      `lock directory ${fname}`,
      `Cannot create ${lockDirectoryOf(path)}: ${(error as Error).message}. Only the kernel lock guards ${fname}, and programs that use only proper-lockfile do not see it: ${remedy}`,
    );
    return undefined;
  }
}

/** The error of a call that has waited for the lock for `timeout` milliseconds. */
export function lockTimedOut(fname: string, timeout: number): SPLockedFileError {
  return new SPLockedFileError(
    'ELOCKED',
    `${fname} could not be locked within ${Math.round(timeout)} ms: ${holderOf(fname)}. Try again, or raise lock.timeout`,
  );
}

function holderOf(fname: string): string {
  try {
    const path = disk.realpath(fname);
    return queues.get(path)?.isLocked
      ? 'other calls of this process come before this one'
      : describeHolder(path);
  } catch (error) {
    return (error as Error).message;
  }
}
