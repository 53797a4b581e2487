import { Patience } from '../../async/deadline.js';
import { traced } from '../../observe/tracing.js';
import { codeOf, disk } from '../file/disk.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import type { LockContext } from './both-locks.js';
import { type FileLock, lockFile } from './file-lock.js';
import { describeHolder } from './holders.js';
import { Turns } from './mutex.js';

/** How long to wait for the lock. */
export interface Wait {
  signal?: AbortSignal | undefined;
  /** Milliseconds. Default: that of the lock options. */
  timeout?: number | undefined;
}

/** The reason to abort a wait with that has not failed: what it was for has been done otherwise. */
export const NOT_NEEDED = Symbol('the lock is not needed any more');

/** The files that calls of this process have locked now, by their canonical paths. */
const locked = new Set<string>();

/** Those who wait in this process, by the canonical path of the file. */
const queues = new Map<string, Turns>();

/**
 * Opens and locks a file, and runs a function while it is.
 *
 * @throws {@link SPLockedFileError} `ELOCKED` after the timeout, or the system's code; the signal's reason.
 */
export async function withFileLock<T>(
  context: LockContext,
  fn: (lock: FileLock) => Promise<T>,
  { signal, timeout = context.options.timeout }: Wait = {},
): Promise<T> {
  const { fname } = context;
  const patience = new Patience(timeout, signal);
  const lockInTurn = async () => {
    try {
      const path = await disk.realpath(fname);
      const endTurn = await takeTurn(path, patience.signal);
      try {
        const lock = await lockFile(context, path, patience.signal);
        if (!patience.signal.aborted) return { lock, endTurn };
        await lock.release();
        throw patience.signal.reason;
      } catch (error) {
        endTurn();
        throw error;
      }
    } catch (error) {
      if (signal?.reason === NOT_NEEDED) return undefined;
      signal?.throwIfAborted();
      throw patience.over ? await timedOut(fname, timeout) : asTyped(error, fname);
    } finally {
      patience.end();
    }
  };
  const got = await traced('storpool:lock', { fname }, lockInTurn);
  if (got === undefined) throw NOT_NEEDED;
  const { lock, endTurn } = got;
  locked.add(lock.path);
  try {
    return await fn(lock);
  } finally {
    locked.delete(lock.path);
    await lock.release().finally(endTurn);
  }
}

function takeTurn(path: string, signal: AbortSignal): Promise<() => void> {
  const turns = queues.get(path) ?? new Turns(() => queues.delete(path));
  queues.set(path, turns);
  return turns.take(signal);
}

/** The error of a call that has waited for the lock on a file for so many milliseconds. */
export async function timedOut(fname: string, timeout: number): Promise<Error> {
  const path = await disk.realpath(fname).catch(() => fname);
  const holder = locked.has(path)
    ? 'other calls of this very process are before this one'
    : await describeHolder(path);
  return new SPLockedFileError(
    'ELOCKED',
    `${fname} could not be locked within ${Math.round(timeout)} ms: ${holder}. Try again, or raise lock.timeout`,
  );
}

function asTyped(error: unknown, fname: string): Error {
  const code = codeOf(error);
  if (code === undefined || error instanceof SPLockedFileError) return error as Error;
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
