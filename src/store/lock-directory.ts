import { stat } from 'node:fs/promises';
import { poll } from './poll.js';

/** A lock directory that is ours for as long as `lost` is not set. */
export interface LockDirectory {
  /**
   * Throws if the directory is no longer ours, or may not be in a moment: a process that could not run for
   * nearly the stale time must not write.
   */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** Beyond this part of the stale time without a refresh, somebody may be about to take the directory over. */
const TRUSTED = 0.9;

/** The directory's usual place, where everyone who uses `proper-lockfile` on the same file looks. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

/**
 * Takes the lock directory of a file, waiting for whoever has it.
 *
 * @param path - the file's canonical path
 * @throws the error of making the directory, if it is not that somebody has it
 */
export async function takeLockDirectory(
  path: string,
  stale: number,
  signal: AbortSignal,
): Promise<LockDirectory> {
  const { lock } = await import('proper-lockfile');
  let lost: Error | undefined;
  const options = {
    realpath: false,
    stale,
    onCompromised: (error: Error) => {
      lost = error;
    },
  };
  const release = await poll(async () => {
    try {
      return await lock(path, options);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ELOCKED') return undefined;
      throw error;
    }
  }, signal);

  const directory = lockDirectoryOf(path);
  const ours = await identity(directory);
  return {
    async check() {
      if (lost !== undefined) throw lost;
      const now = await identity(directory);
      if (now.id !== ours.id) throw new Error('somebody else took the lock directory over');
      if (Date.now() - now.refreshed > stale * TRUSTED) {
        throw new Error('this process could not refresh its lock directory in time');
      }
    },
    async release() {
      // A directory that was taken over is somebody else's to remove.
      if (lost === undefined) await release();
    },
  };
}

/** What tells a directory from one made later at the same place. */
async function identity(directory: string): Promise<{ id: string; refreshed: number }> {
  const { ino, birthtimeNs, mtimeMs } = await stat(directory, { bigint: true });
  return { id: `${ino}:${birthtimeNs}`, refreshed: Number(mtimeMs) };
}
