import { lazyDebug } from '../debug.js';
import { told } from '../diagnostics.js';
import { codeOf, disk, isDenied, type OpenFile } from './disk.js';
import { lockDirectoryOf } from './holder-record.js';
import { describeHolder } from './holders.js';
import { NoKernelLock, takeKernelLock } from './kernel-lock.js';
import { type LockDirectory, takeLockDirectory } from './lock-directory.js';
import type { ResolvedLockOptions } from './lock-options.js';
import { Patience } from './patience.js';
import { SPLockedFileError } from './sp-locked-file-error.js';
import { Turns } from './turns.js';
import { warnOnce } from './warn-once.js';

const debug = lazyDebug('storpool:lock');

/** Tells an operator. */
export type Warn = (message: string) => void;

/** What a lock is taken with, and told about. */
export interface LockContext {
  /** The path as the user gave it, for messages. */
  fname: string;
  options: ResolvedLockOptions;
  warn: Warn;
}

/** How long to wait for the lock. */
export interface Wait {
  signal?: AbortSignal | undefined;
  /** Milliseconds. Default: that of the lock options. */
  timeout?: number | undefined;
}

/** Those who wait in this process, by the canonical path of the file. */
const queues = new Map<string, Turns>();

/** A file that is open and locked for us: by the kernel lock, the lock directory, or both. */
export class FileLock {
  readonly handle: OpenFile;
  /** The canonical path. */
  readonly path: string;
  readonly #context: LockContext;
  readonly #kernelLock: boolean;
  #directory: LockDirectory | undefined;
  /** What the file holds, as far as we have read or written it under this lock. */
  content: Buffer | undefined;

  constructor(
    context: LockContext,
    path: string,
    handle: OpenFile,
    kernelLock: boolean,
    directory?: LockDirectory,
  ) {
    this.#context = context;
    this.path = path;
    this.handle = handle;
    this.#kernelLock = kernelLock;
    this.#directory = directory;
  }

  /**
   * Makes sure that the lock is ours. With the kernel lock in hand a lock directory that was taken from us is
   * taken again.
   *
   * @returns whether it had to be: somebody without the kernel lock may have changed the file
   * @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock is no longer ours.
   */
  async check(): Promise<boolean> {
    try {
      await this.#directory?.check();
      return false;
    } catch (cause) {
      const { fname, options } = this.#context;
      if (!this.#kernelLock) throw compromised(fname, (cause as Error).message, cause);
      debug('%s: the lock directory is lost (%s), taking it again', fname, (cause as Error).message);
      const patience = new Patience(options.timeout);
      try {
        await this.#directory?.release();
        this.#directory = undefined;
        this.#directory = await takeDirectory(this.#context, this.path, true, patience.signal);
      } catch (error) {
        throw compromised(fname, 'its lock directory was taken over and is not given back', error);
      } finally {
        patience.end();
      }
      return true;
    }
  }

  /** Never fails: what was done under the lock is done. */
  async release(): Promise<void> {
    const { fname, warn } = this.#context;
    const tell = (what: string) => (error: Error) => warn(`${what}: ${error.message}`);
    await this.#directory
      ?.release()
      .catch(tell(`Cannot remove ${lockDirectoryOf(this.path)}, which delays the next holder`));
    await this.handle.close().catch(tell(`Closing ${fname} reports an error`));
    debug('%s: unlocked', fname);
  }
}

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
  let path: string | undefined;
  let ourTurn = false;
  const lockInTurn = async () => {
    try {
      path = await disk.realpath(fname);
      const endTurn = await takeTurn(path, patience.signal);
      ourTurn = true;
      try {
        return { lock: await lockFile(context, path, patience.signal), endTurn };
      } catch (error) {
        endTurn();
        throw error;
      }
    } catch (error) {
      signal?.throwIfAborted();
      throw patience.over ? await timedOut(fname, timeout, path ?? fname, ourTurn) : asTyped(error, fname);
    } finally {
      patience.end();
    }
  };
  const { lock, endTurn } = await told('storpool:lock', () => ({ fname }), lockInTurn);
  try {
    return await fn(lock);
  } finally {
    await lock.release();
    endTurn();
  }
}

async function takeTurn(path: string, signal: AbortSignal): Promise<() => void> {
  const turns = queues.get(path) ?? new Turns();
  queues.set(path, turns);
  try {
    const end = await turns.take(signal);
    return () => {
      end();
      if (turns.unused) queues.delete(path);
    };
  } catch (error) {
    if (turns.unused) queues.delete(path);
    throw error;
  }
}

async function lockFile(context: LockContext, path: string, signal: AbortSignal): Promise<FileLock> {
  for (;;) {
    const handle = await disk.open(path, 'r+');
    try {
      const kernelLock = await takeKernel(context, handle, signal);
      if (await isAt(path, handle)) {
        const directory = await takeDirectory(context, path, kernelLock, signal);
        return new FileLock(context, path, handle, kernelLock, directory);
      }
      debug('%s was replaced while we waited for it, starting again', path);
    } catch (error) {
      await handle.close();
      throw error;
    }
    await handle.close();
  }
}

/** @returns whether there is a kernel lock now */
async function takeKernel(
  { fname, options, warn }: LockContext,
  handle: OpenFile,
  signal: AbortSignal,
): Promise<boolean> {
  if (options.kernelLock === 'off') return false;
  try {
    await takeKernelLock(handle.fd, signal);
    return true;
  } catch (error) {
    if (!(error instanceof NoKernelLock)) throw error;
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
    return false;
  }
}

/** The lock directory, or none where it cannot be written but the kernel lock serves. */
async function takeDirectory(
  { fname, options, warn }: LockContext,
  path: string,
  kernelLock: boolean,
  signal: AbortSignal,
): Promise<LockDirectory | undefined> {
  try {
    return await takeLockDirectory(path, { stale: options.stale, kernelLock }, signal);
  } catch (error) {
    if (!kernelLock || !isDenied(error)) throw error;
    warnOnce(
      warn,
      `lock directory ${fname}`,
      `Cannot make ${lockDirectoryOf(path)}: ${(error as Error).message}. The kernel lock alone guards ${fname}, which programs that use only proper-lockfile do not see; let the directory be writable for this user's group`,
    );
    return undefined;
  }
}

/** Whether the file that is open is still the one at that path. */
async function isAt(path: string, handle: OpenFile): Promise<boolean> {
  const [ours, there] = await Promise.all([handle.stat(), disk.stat(path)]);
  return BigInt(ours.ino) === there.ino && BigInt(ours.dev) === there.dev;
}

const compromised = (fname: string, problem: string, cause: unknown) =>
  new SPLockedFileError(
    'ECOMPROMISED',
    `The lock on ${fname} was lost: ${problem}. Nothing was written; run the whole operation again`,
    { cause },
  );

async function timedOut(fname: string, timeout: number, path: string, ourTurn: boolean): Promise<Error> {
  const holder = ourTurn
    ? await describeHolder(path)
    : 'other calls of this very process are before this one';
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
