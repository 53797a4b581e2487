import { Patience } from '../../async/deadline.js';
import { sleep } from '../../async/sleep.js';
import { debugOutput } from '../../observe/debug.js';
import { codeOf, disk, ignoreMissing, type OpenFile } from '../file/disk.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { type LockContext, takeDirectory, takeKernel } from './both-locks.js';
import { lockDirectoryOf } from './holder-record.js';
import type { LockDirectory } from './lock-directory.js';

const debug = debugOutput('storpool:lock');

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
  /** Once the lock was somebody else's, what this hold knows of the file is worth nothing. */
  #lost: SPLockedFileError | undefined;

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
    if (this.#lost !== undefined) throw this.#lost;
    await this.#checkPlace();
    try {
      await this.#directory?.check();
      return false;
    } catch (cause) {
      const { fname, options } = this.#context;
      if (!this.#kernelLock) throw this.lose((cause as Error).message, cause);
      debug('%s: the lock directory is lost (%s), taking it again', fname, (cause as Error).message);
      const patience = new Patience(options.timeout);
      try {
        await this.#directory?.release();
        this.#directory = undefined;
        this.#directory = await takeDirectory(this.#context, this.path, true, patience.signal);
      } catch (error) {
        throw this.lose('its lock directory was taken over and is not given back', error);
      } finally {
        patience.end();
      }
      return true;
    }
  }

  /** From now on every check fails. @returns the error that they throw */
  lose(problem: string, cause?: unknown): SPLockedFileError {
    this.#lost = new SPLockedFileError(
      'ECOMPROMISED',
      `The lock on ${this.#context.fname} was lost: ${problem}. Nothing was written; run the whole operation again`,
      { cause },
    );
    return this.#lost;
  }

  /** A file that is no longer at its path is locked for us alone, and what is written there is lost. */
  async #checkPlace(): Promise<void> {
    const { fname } = this.#context;
    const isThere = await isAt(this.path, this.handle).catch((cause: Error) => {
      const message = `Cannot lock ${fname} any longer: ${cause.message}; nothing was changed`;
      throw new SPLockedFileError(codeOf(cause) ?? 'EIO', message, { cause });
    });
    if (!isThere) throw this.lose('another program put a new file in its place');
  }

  /** Fails only if the logger does: what was done under the lock is done. */
  async release(): Promise<void> {
    const { fname, warn } = this.#context;
    const tell = (what: string) => (error: Error) => warn(`${what}: ${error.message}`);
    try {
      await this.#directory
        ?.release()
        .catch(tell(`Cannot remove ${lockDirectoryOf(this.path)}, which delays the next holder`));
    } finally {
      await this.handle.close().catch(tell(`Closing ${fname} reports an error`));
      // What was begun inside of the hold may go on for long, and keeps it.
      this.#directory = undefined;
      this.content = undefined;
    }
    debug('%s: unlocked', fname);
  }
}

/** Opens a file and takes both locks on it. */
export async function lockFile(context: LockContext, path: string, signal: AbortSignal): Promise<FileLock> {
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
    await sleep(1, signal);
  }
}

/** Whether the file that is open is still the one at that path. */
async function isAt(path: string, handle: OpenFile): Promise<boolean> {
  const [ours, there] = await Promise.all([handle.place(), disk.stat(path).catch(ignoreMissing)]);
  return there !== undefined && ours.ino === there.ino && ours.dev === there.dev;
}
