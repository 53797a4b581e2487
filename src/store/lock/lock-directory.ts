import * as fs from 'node:fs';
import { sleep } from '../../async/sleep.js';
import { debugOutput } from '../../observe/debug.js';
import { codeOf, disk, ifThere, isDenied, type OpenFile } from '../file/disk.js';
import type { LockContext } from '../lock-options.js';
import { bootId, identity, lockDirectoryOf, readRecord, removeRecord, writeRecord } from './holder-record.js';

const debug = debugOutput('storpool:lock');

/** A lock directory of ours. */
export interface LockDirectory {
  /**
   * @throws if it was taken over, or may be in a moment, because it was not refreshed for nearly the stale time
   */
  check(): Promise<void>;
  release(): Promise<void>;
}

/** Something else is in the place of the lock directory. */
export class LockDirectoryObstructed extends Error {
  readonly code = 'EEXIST';
}

/**
 * The sticky bit says that the maker of the directory had the kernel lock. It is set from the first moment, even if the
 * maker is killed before it writes its record.
 */
const MARK = 0o1000;
/** How soon a directory with the mark must have its record. Milliseconds. */
const RECORD_TIME = 15;

/** When other programs consider a directory stale: the default of `proper-lockfile`. Milliseconds. */
export const USUAL_STALE = 10_000;
/** After this part of the stale time without a refresh, somebody may be about to take the directory over. */
const TRUSTED = 0.9;
/** How long a check waits for a late refresh, and how often it looks. Milliseconds. */
const REFRESH_TIME = 1000;
const REFRESH_LOOK = 20;
/** The real clock, which the file system uses, even if a test replaces `Date` later. */
const { now } = Date;

/** Our directories. We remove nothing else. */
const owned = new Map<string, { ino: bigint; birthtimeNs: bigint; mtimeMs: number }>();

/**
 * Whether a directory is still the one that we made. Inodes are reused, some file systems have no birth times, and
 * without `statx` each refresh seems to change them. So the modification time that we set counts, too.
 */
function isOurs(directory: string, { ino, birthtimeNs, mtimeMs }: fs.BigIntStats): boolean {
  const ours = owned.get(directory);
  if (ours?.ino !== ino) return false;
  // The time is set in fractions of seconds, so it may come back a millisecond earlier.
  const isOurTime = Math.abs(Number(mtimeMs) - ours.mtimeMs) <= 1;
  return (birthtimeNs !== 0n && birthtimeNs === ours.birthtimeNs) || isOurTime;
}

/** `ENOENT`: who does not know us, and whose clock is ahead, has removed it before it was ready. */
const isTaken = (error: unknown) => ['ELOCKED', 'ENOENT'].includes(codeOf(error) ?? '');
const isObstacle = (error: unknown) => ['ENOTDIR', 'ENOTEMPTY', 'ELOOP'].includes(codeOf(error) ?? '');

type Done<T = void> = (error: NodeJS.ErrnoException | null, result?: T) => void;

/** Calls synchronously, because the thread pool would take ten times as long. */
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

/** The `fs` for `proper-lockfile`, which also stores in it what it finds out about the file system. */
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
 * @returns `undefined` if somebody else has it
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
      // proper-lockfile does not unlock a lost directory, but it may still exist and be ours.
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
      // If we are killed in between, a directory without a record holds others up, and a record without its directory
      // does not. But without the kernel lock, the record may already be that of the next holder.
      if (!kernelLock) removeRecord(path);
      await release();
      if (kernelLock) removeRecord(path);
    },
  };
}

/** Watches a directory that is in the way of one caller, to tell when its maker is certainly dead. */
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
    // Measured with the monotonic clock, because the wall clock may be set back.
    if (seen !== this.#seen) {
      const inside = somethingIn(directory);
      if (inside !== undefined)
        throw new LockDirectoryObstructed(`${directory} is not a lock: it contains ${inside}`);
      this.#seen = seen;
      this.#since = performance.now();
    }
    const age = performance.now() - this.#since;
    if (age > stale) return true;
    // Without the mark, the record is that of an earlier directory with the same inode.
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

/** Whether the lock directory that we made for a file was replaced by another one. */
export function isReplaced(path: string): boolean {
  const directory = lockDirectoryOf(path);
  const there = ifThere(() => disk.stat(directory));
  return owned.has(directory) && (there === undefined || !isOurs(directory, there));
}
