import * as fs from 'node:fs';
import { poll } from '../../async/poll.js';
import { sleep } from '../../async/sleep.js';
import { debugOutput } from '../../observe/debug.js';
import { codeOf, disk, ignoreMissing } from '../file/disk.js';
import { bootId, identity, lockDirectoryOf, readRecord, removeRecord, writeRecord } from './holder-record.js';

const debug = debugOutput('storpool:lock');

/** The lock directory, once it is ours. */
export interface LockDirectory {
  /**
   * @throws if it is no longer ours, or may not be in a moment: who could not refresh it for nearly the stale
   * time must not write.
   */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** What {@link takeLockDirectory} goes by. */
export interface LockDirectoryOptions {
  /** Milliseconds. */
  stale: number;
  /** Whether the kernel lock is ours already. */
  kernelLock: boolean;
}

/**
 * The sticky bit, of no other use on an empty directory, says that its maker had the kernel lock: it is there
 * from the first moment on, even if the maker is killed before it can write its record.
 */
const MARK = 0o1000;
/** How long a directory with the mark is given to get its record. Milliseconds. */
const RECORD_TIME = 15;

/** What other programs take for stale, by the default of `proper-lockfile`. Milliseconds. */
const USUAL_STALE = 10_000;
/** Beyond this part of the stale time without a refresh, somebody may be about to take the directory over. */
const TRUSTED = 0.9;
/** How long a holder that was held up is given to refresh its directory, and how often it is looked at. */
const REFRESH_TIME = 1000;
const REFRESH_LOOK = 20;

/** The directories that are ours. Whatever else is found in their place is somebody else's to remove. */
const owned = new Map<string, string>();

/** A call without the way through the thread pool, which takes ten times as long as the call itself. */
function atOnce<T>(call: () => T, done: (error: NodeJS.ErrnoException | null, result?: T) => void): void {
  let result: T;
  try {
    result = call();
  } catch (error) {
    done(error as NodeJS.ErrnoException);
    return;
  }
  done(null, result);
}

type Done = (error: NodeJS.ErrnoException | null) => void;

const removeUnlessTaken = (directory: string) => {
  const ours = owned.get(directory);
  if (ours === undefined || identity(fs.statSync(directory, { bigint: true })) === ours) {
    fs.rmdirSync(directory);
  }
};

/** What `proper-lockfile` gets for its `fs`; it also keeps there what it has found out about the file system. */
const makeFs = (mode: number) => ({
  mkdir: (directory: string, done: Done) => atOnce(() => fs.mkdirSync(directory, { mode }), done),
  stat: (directory: string, done: (error: NodeJS.ErrnoException | null, stats?: fs.Stats) => void) =>
    atOnce(() => fs.statSync(directory), done),
  utimes: (directory: string, atime: Date, mtime: Date, done: Done) =>
    atOnce(() => fs.utimesSync(directory, atime, mtime), done),
  rmdir: (directory: string, done: Done) => atOnce(() => removeUnlessTaken(directory), done),
  rmdirSync: removeUnlessTaken,
});

const plainFs = makeFs(0o755);
const markingFs = makeFs(MARK | 0o755);

/**
 * Takes the lock directory of a file, waiting for whoever has it.
 *
 * @param path - the file's canonical path
 * @throws the error of making the directory, if it is not that somebody has it
 */
export async function takeLockDirectory(
  path: string,
  { stale, kernelLock }: LockDirectoryOptions,
  signal: AbortSignal,
): Promise<LockDirectory> {
  const { lock } = await import('proper-lockfile');
  const directory = lockDirectoryOf(path);
  let lost: Error | undefined;
  const tryLock = async () => {
    try {
      return await lock(path, {
        realpath: false,
        stale,
        update: Math.min(stale, USUAL_STALE) / 2,
        fs: kernelLock ? markingFs : plainFs,
        onCompromised: (error) => {
          debug('%s: %s', directory, error.message);
          lost = error;
        },
      });
    } catch (error) {
      if (codeOf(error) === 'ELOCKED') return undefined;
      throw error;
    }
  };

  const leftover = new Leftover(path, { stale, kernelLock });
  const unlock = await poll(async () => {
    const got = await tryLock();
    if (got !== undefined || !(await leftover.isVoid())) return got;
    debug('%s was left behind, removing it', directory);
    await removeDirectory(directory);
    return tryLock();
  }, signal);

  const release = async () => {
    try {
      // Once it is known to be lost, nothing is left to be stopped; but it may still be there, and ours.
      if (lost === undefined) await unlock();
      else if (owned.has(directory)) removeUnlessTaken(directory);
    } catch (error) {
      ignoreMissing(error);
    } finally {
      owned.delete(directory);
    }
  };
  try {
    const ours = identity(await look(directory));
    owned.set(directory, ours);
    await writeRecord(path, ours, kernelLock);
    return {
      async check() {
        for (let waited = 0; ; waited += REFRESH_LOOK) {
          const stats = lost === undefined ? await look(directory) : undefined;
          if (stats === undefined || identity(stats) !== ours)
            throw lost ?? new Error('somebody took it over');
          if (Date.now() - Number(stats.mtimeMs) <= Math.min(stale, USUAL_STALE) * TRUSTED) return;
          if (waited >= REFRESH_TIME) throw new Error('it could not be refreshed in time');
          await sleep(REFRESH_LOOK);
        }
      },
      async release() {
        // A directory without a record holds others up, should we be killed just now; a record without its
        // directory says nothing. Without the kernel lock the next record may already be written by then.
        if (kernelLock) await release().finally(() => removeRecord(path));
        else await removeRecord(path).finally(release);
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

const look = (directory: string) => disk.stat(directory);

/** Watches a directory that is in the way, to tell when its maker has certainly gone. */
class Leftover {
  readonly #path: string;
  readonly #options: LockDirectoryOptions;
  #seen: string | undefined;
  #since = 0;

  constructor(path: string, options: LockDirectoryOptions) {
    this.#path = path;
    this.#options = options;
  }

  async isVoid(): Promise<boolean> {
    const { stale, kernelLock } = this.#options;
    const directory = lockDirectoryOf(this.#path);
    const stats = await look(directory).catch(ignoreMissing);
    if (stats === undefined) return false;
    const id = identity(stats);
    const seen = `${id} ${stats.mtimeNs}`;
    // By our own monotonic clock: the wall clock may have been set back since the directory was refreshed.
    if (seen !== this.#seen) {
      this.#seen = seen;
      this.#since = performance.now();
    }
    const age = performance.now() - this.#since;
    if (age > stale) return true;
    if (!kernelLock) return false;
    const record = await readRecord(this.#path);
    if (record?.directory === id) {
      return record.kernelLock && record.bootId !== '' && record.bootId === (await bootId());
    }
    return (Number(stats.mode) & MARK) !== 0 && age > RECORD_TIME;
  }
}

const removeDirectory = (directory: string) => disk.rmdir(directory).catch(ignoreMissing);
