import { type FileHandle, open, realpath } from 'node:fs/promises';
import createDebug from 'debug';
import { type LockDirectory, lockDirectoryOf, takeLockDirectory } from './lock-directory.js';
import type { ResolvedLockOptions } from './lock-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';
import { Turns } from './turns.js';

const debug = createDebug('storpool:lock');

/** Those who wait in this process, by the canonical path of the file. */
const queues = new Map<string, Turns>();

/** A file that is locked for us, and open. */
export interface FileLock {
  handle: FileHandle;
  /** @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock is no longer ours. */
  check(): Promise<void>;
  release(): Promise<void>;
}

/**
 * Opens and locks a file.
 *
 * @param warn - told of a lock that could not be given back
 * @throws {@link SPLockedFileError} `ELOCKED` after the timeout, or the system's code; the signal's reason.
 */
export async function lockFile(
  fname: string,
  options: ResolvedLockOptions,
  warn: (message: string) => void,
  signal?: AbortSignal,
): Promise<FileLock> {
  const start = performance.now();
  const patience = new Patience(options.timeout, signal);
  try {
    const path = await realpath(fname);
    const endTurn = await takeTurn(path, patience.signal);
    try {
      const handle = await open(path, 'r+');
      try {
        const directory = await takeLockDirectory(path, options.stale, patience.signal);
        debug('%s: locked after %d ms', fname, Math.round(performance.now() - start));
        return held(fname, handle, directory, endTurn, warn);
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      endTurn();
      throw error;
    }
  } catch (error) {
    signal?.throwIfAborted();
    const typed = patience.over ? timedOut(fname, options.timeout) : asTyped(error, fname);
    debug('%s: not locked: %s', fname, typed.message);
    throw typed;
  } finally {
    patience.end();
  }
}

function held(
  fname: string,
  handle: FileHandle,
  directory: LockDirectory,
  endTurn: () => void,
  warn: (message: string) => void,
): FileLock {
  return {
    handle,
    async check() {
      try {
        await directory.check();
      } catch (cause) {
        throw new SPLockedFileError(
          'ECOMPROMISED',
          `The lock on ${fname} was lost, nothing was written: ${(cause as Error).message}. Try the whole operation again`,
          { cause },
        );
      }
    },
    async release() {
      try {
        await directory.release();
      } catch (error) {
        warn(
          `The lock directory ${lockDirectoryOf(fname)} could not be removed and delays the next holder: ${(error as Error).message}`,
        );
      } finally {
        await handle.close();
        endTurn();
        debug('%s: unlocked', fname);
      }
    },
  };
}

async function takeTurn(path: string, signal: AbortSignal): Promise<() => void> {
  const turns = queues.get(path) ?? new Turns();
  queues.set(path, turns);
  const end = await turns.take(signal);
  return () => {
    end();
    if (turns.unused) queues.delete(path);
  };
}

/** How long a caller is willing to wait: its own signal, or the timeout. */
class Patience {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal | undefined;
  over = false;

  constructor(timeout: number, caller?: AbortSignal) {
    this.#caller = caller;
    this.#timer = setTimeout(() => {
      this.over = true;
      this.#controller.abort();
    }, timeout);
    if (caller?.aborted) this.#controller.abort();
    caller?.addEventListener('abort', this.#onAbort);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  readonly #onAbort = () => this.#controller.abort();
}

const timedOut = (fname: string, timeout: number) =>
  new SPLockedFileError(
    'ELOCKED',
    `${fname} is still locked by somebody else after ${timeout} ms; try again, or raise lock.timeout`,
  );

function asTyped(error: unknown, fname: string): Error {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || error instanceof SPLockedFileError) return error as Error;
  return new SPLockedFileError(code, `Cannot lock ${fname}: ${message}${remedy(code)}`, { cause: error });
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
