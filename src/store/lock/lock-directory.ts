import * as fs from 'node:fs';
import { sleep } from '../../async/sleep.js';
import { debugOutput } from '../../observe/debug.js';
import { codeOf, disk, ifThere, isDenied, type OpenFile } from '../file/disk.js';
import type { LockContext } from '../lock-options.js';
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

/** Something that is no lock is in the place of the lock directory. */
export class LockDirectoryObstructed extends Error {
  readonly code = 'EEXIST';
}

/**
 * The sticky bit, of no other use on an empty directory, says that its maker had the kernel lock: it is there
 * from the first moment on, even if the maker is killed before it can write its record.
 */
const MARK = 0o1000;
/** How long a directory with the mark is given to get its record. Milliseconds. */
const RECORD_TIME = 15;

/** What other programs take for stale, by the default of `proper-lockfile`. Milliseconds. */
export const USUAL_STALE = 10_000;
/** Beyond this part of the stale time without a refresh, somebody may be about to take the directory over. */
const TRUSTED = 0.9;
/** How long a holder that was held up is given to refresh its directory, and how often it is looked at. */
const REFRESH_TIME = 1000;
const REFRESH_LOOK = 20;
/** The file system's clock, also where a test puts another `Date` in place of the real one later. */
const { now } = Date;

/** The directories that are ours. Whatever else is found in their place is somebody else's to remove. */
const owned = new Map<string, { ino: bigint; birthtimeNs: bigint; mtimeMs: number }>();

/**
 * Whether a directory is still the one that we have made. An inode is used again, some file systems have no birth
 * times, and where `statx` is blocked they are made up anew with each refresh: then the time that we have set tells.
 */
function isOurs(directory: string, { ino, birthtimeNs, mtimeMs }: fs.BigIntStats): boolean {
  const ours = owned.get(directory);
  if (ours?.ino !== ino) return false;
  // Setting a time goes through a fraction of seconds, which may come back a millisecond less.
  const isOurTime = Math.abs(Number(mtimeMs) - ours.mtimeMs) <= 1;
  return (birthtimeNs !== 0n && birthtimeNs === ours.birthtimeNs) || isOurTime;
}

/** `ENOENT`: who does not know us, and whose clock is ahead, has removed it before it was ready. */
const isTaken = (error: unknown) => ['ELOCKED', 'ENOENT'].includes(codeOf(error) ?? '');
const isObstacle = (error: unknown) => ['ENOTDIR', 'ENOTEMPTY', 'ELOOP'].includes(codeOf(error) ?? '');

type Done<T = void> = (error: NodeJS.ErrnoException | null, result?: T) => void;

/** Calls without the way through the thread pool, which takes ten times as long as the call itself. */
function call<T>(fn: () => T, done: Done<T>): void {
  let result: T;
  try {
    result = fn();
  } catch (error) {
    done(error as NodeJS.ErrnoException);
    return;
  }
  done(null, result);
}

function removeUnlessTaken(directory: string): void {
  if (!owned.has(directory) || isOurs(directory, disk.stat(directory))) disk.rmdir(directory);
}

function refresh(directory: string, atime: Date, mtime: Date): void {
  fs.utimesSync(directory, atime, mtime);
  const ours = owned.get(directory);
  if (ours !== undefined) ours.mtimeMs = mtime.getTime();
}

/** What `proper-lockfile` gets for its `fs`; it also keeps there what it has found out about the file system. */
const makeFs = (mode: number) => ({
  mkdir: (directory: string, done: Done) => call(() => fs.mkdirSync(directory, { mode }), done),
  stat: (directory: string, done: Done<fs.Stats>) => call(() => fs.statSync(directory), done),
  utimes: (directory: string, atime: Date, mtime: Date, done: Done) =>
    call(() => refresh(directory, atime, mtime), done),
  rmdir: (directory: string, done: Done) => call(() => removeUnlessTaken(directory), done),
  rmdirSync: removeUnlessTaken,
});

const plainFs = makeFs(0o755);
const markingFs = makeFs(MARK | 0o755);

/**
 * Tries to make the lock directory of a file.
 *
 * @param path - the file's canonical path
 * @param kernelLock - whether that is ours
 * @param abandoned - what this caller has seen there before
 * @returns `undefined` when somebody else has it
 * @throws {@link LockDirectoryObstructed}, or the error of making the directory
 */
export async function tryLockDirectory(
  path: string,
  file: OpenFile,
  kernelLock: boolean,
  { options: { stale }, purpose }: LockContext,
  abandoned: AbandonedLock,
): Promise<LockDirectory | undefined> {
  const { lock } = await import('proper-lockfile');
  const directory = lockDirectoryOf(path);
  let lost: Error | undefined;
  const tryLock = () =>
    lock(path, {
      realpath: false,
      stale,
      update: Math.min(stale, USUAL_STALE) / 2,
      fs: kernelLock ? markingFs : plainFs,
      onCompromised: (error) => {
        debug('%s: %s', directory, error.message);
        lost = error;
      },
    }).catch((error: unknown) => {
      if (isTaken(error)) return undefined;
      throw isObstacle(error) ? new LockDirectoryObstructed((error as Error).message) : error;
    });

  let unlock = await tryLock();
  if (unlock === undefined && abandoned.isAbandoned(stale, kernelLock)) {
    debug('%s was left behind, removing it', directory);
    ifThere(() => disk.rmdir(directory));
    unlock = await tryLock();
  }
  if (unlock === undefined) return undefined;
  const unlockOurs = unlock;

  const release = async () => {
    try {
      // Once it is known to be lost, nothing is left to be stopped; but it may still be there, and ours.
      if (lost === undefined) await unlockOurs();
      else if (owned.has(directory)) ifThere(() => removeUnlessTaken(directory));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    } finally {
      owned.delete(directory);
    }
  };
  try {
    const stats = disk.stat(directory);
    owned.set(directory, { ...stats, mtimeMs: Number(stats.mtimeMs) });
    writeRecord(path, file, { directory: identity(stats), kernelLock, purpose });
  } catch (error) {
    // Whatever is there by now is not ours to remove.
    if (isTaken(error)) owned.set(directory, { ino: 0n, birthtimeNs: 0n, mtimeMs: 0 });
    await release();
    if (isTaken(error)) return undefined;
    throw error;
  }
  return {
    async check() {
      for (let waited = 0; ; waited += REFRESH_LOOK) {
        if (lost !== undefined) throw lost;
        const stats = disk.stat(directory);
        if (!isOurs(directory, stats)) throw new Error('another program took it over');
        if (now() - Number(stats.mtimeMs) <= Math.min(stale, USUAL_STALE) * TRUSTED) return;
        if (waited >= REFRESH_TIME) throw new Error('it could not be refreshed in time');
        await sleep(REFRESH_LOOK);
      }
    },
    async release() {
      // A directory without a record holds others up, should we be killed just now; a record without its
      // directory says nothing. Without the kernel lock the next record may already be written by then.
      if (!kernelLock) removeRecord(path);
      await release();
      if (kernelLock) removeRecord(path);
    },
  };
}

/** Watches a directory that is in the way of one caller, to tell when its maker has certainly gone. */
export class AbandonedLock {
  readonly #path: string;
  #seen: string | undefined;
  #since = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws {@link LockDirectoryObstructed} */
  isAbandoned(stale: number, kernelLock: boolean): boolean {
    const directory = lockDirectoryOf(this.#path);
    const stats = ifThere(() => disk.lstat(directory));
    if (stats === undefined) return false;
    if (!stats.isDirectory())
      throw new LockDirectoryObstructed(`${directory} exists, but is not a directory`);
    const id = identity(stats);
    const seen = `${id} ${stats.mtimeNs}`;
    // By our own monotonic clock: the wall clock may have been set back since the directory was refreshed.
    if (seen !== this.#seen) {
      const inside = somethingIn(directory);
      if (inside !== undefined)
        throw new LockDirectoryObstructed(`${directory} is not a lock: it contains ${inside}`);
      this.#seen = seen;
      this.#since = performance.now();
    }
    const age = performance.now() - this.#since;
    if (age > stale) return true;
    // Without the mark a record speaks for an earlier directory, whose inode this one has got.
    if (!kernelLock || (Number(stats.mode) & MARK) === 0) return false;
    const record = readRecord(this.#path);
    if (record?.directory !== id) return age > RECORD_TIME;
    return record.bootId !== '' && record.bootId === bootId();
  }
}

function somethingIn(directory: string): string | undefined {
  try {
    return disk.readdir(directory)[0];
  } catch (error) {
    // Who may not look inside, because its maker's umask was strict, may remove it all the same.
    if (codeOf(error) !== 'ENOENT' && !isDenied(error)) throw error;
    return undefined;
  }
}
