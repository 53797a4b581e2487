import { statSync } from 'node:fs';
import { debugOutput } from '../observe/debug.js';
import { codeOf, disk, ifThere } from './disk.js';
import { isKernelLockLocal } from './kernel-lock.js';

const debug = debugOutput('storpool:lock');

/** The usual place of the directory, which all users of `proper-lockfile` share. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

/** A lock directory of ours. */
export interface LockDirectory {
  /** @throws if it was taken over, or may be in a moment */
  check(): void;
  release(): Promise<void>;
}

/**
 * The sticky bit says that the maker of the directory had the kernel lock, too. The call that makes the directory sets
 * it, so it is there however soon the maker is killed.
 */
const MARK = 0o1000;

/** When other programs consider a directory stale: the default of `proper-lockfile`. Milliseconds. */
const USUAL_STALE = 10_000;
/** After so long without a refresh, somebody may be about to take the directory over. Milliseconds. */
const TRUSTED = 0.9 * USUAL_STALE;
/** The real clock, even if a test replaces it later. */
const now = performance.now.bind(performance);

/** Our directories. Inodes are reused, so the time that we set tells them apart, too. */
const own = new Map<string, { ino: bigint; mtimeMs: number; refreshed: number }>();

function isOwnDirectory(directory: string): boolean {
  const ours = own.get(directory);
  const stats = ifThere(() => disk.stat(directory));
  // The time is set in fractions of seconds, so it may come back a millisecond earlier.
  return stats?.ino === ours?.ino && Math.abs(Number(stats?.mtimeMs) - Number(ours?.mtimeMs)) <= 1;
}

function make(directory: string, mode: number): void {
  disk.mkdir(directory, mode);
  const { ino, mtimeMs } = disk.stat(directory);
  own.set(directory, { ino, mtimeMs: Number(mtimeMs), refreshed: now() });
}

function refresh(directory: string, atime: Date, mtime: Date): void {
  disk.utimes(directory, atime, mtime);
  const ours = own.get(directory);
  if (ours !== undefined) own.set(directory, { ...ours, mtimeMs: mtime.getTime(), refreshed: now() });
}

/** Of others, only stale ones are removed. */
function remove(directory: string): void {
  if (!own.has(directory) || isOwnDirectory(directory)) disk.rmdir(directory);
}

/** Passes the outcome of a synchronous function to a callback: the thread pool would take ten times as long. */
const answering =
  <A extends unknown[], T>(fn: (...args: A) => T) =>
  (...args: [...A, (error: unknown, result?: T) => void]) => {
    const done = args.pop() as (error: unknown, result?: T) => void;
    let result: T;
    try {
      result = fn(...(args as unknown as A));
    } catch (error) {
      return done(error);
    }
    return done(null, result);
  };

/** The `fs` for `proper-lockfile`, which keeps in it what it finds out about the file system. */
const makeFs = (mode: number) => ({
  mkdir: answering((directory: string) => make(directory, mode)),
  stat: answering((directory: string) => statSync(directory)),
  utimes: answering(refresh),
  rmdir: answering(remove),
  rmdirSync: remove,
});
const plainFs = makeFs(0o755);
const markingFs = makeFs(MARK | 0o755);

/** Tries to make the lock directory of a file. @returns `undefined` if somebody else has it */
export async function tryLockDirectory(
  path: string,
  hasKernelLock: boolean,
  stale: number,
): Promise<LockDirectory | undefined> {
  const directory = lockDirectoryOf(path);
  let lost: Error | undefined;
  const onCompromised = (error: Error) => {
    debug('%s: %s', directory, error.message);
    lost = error;
  };
  const fs = hasKernelLock ? markingFs : plainFs;
  const options = { realpath: false, stale, update: USUAL_STALE / 2, fs, onCompromised };
  let unlock = await unlessTaken(path, options);
  if (unlock === undefined && isAbandoned(directory, hasKernelLock)) {
    debug('%s was left behind, removing it', directory);
    ifThere(() => disk.rmdir(directory));
    unlock = await unlessTaken(path, options);
  }
  if (unlock === undefined) return undefined;
  return {
    check() {
      if (lost !== undefined) throw lost;
      if (!isOwnDirectory(directory)) throw new Error('another program took it over');
      const age = now() - Number(own.get(directory)?.refreshed);
      if (age > TRUSTED) throw new Error(`its directory was not refreshed for ${Math.round(age / 1000)} s`);
    },
    async release() {
      try {
        // proper-lockfile does not remove a directory that it could not refresh.
        if (lost === undefined) await unlock();
        else if (isOwnDirectory(directory)) disk.rmdir(directory);
      } finally {
        own.delete(directory);
      }
    },
  };
}

async function unlessTaken(path: string, options: object): Promise<(() => Promise<void>) | undefined> {
  const { lock } = await import('proper-lockfile');
  try {
    return await lock(path, options);
  } catch (error) {
    own.delete(lockDirectoryOf(path));
    // ENOENT: who does not know us, and whose clock is ahead, has removed it before it was ready.
    if (['ELOCKED', 'ENOENT'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Whether the maker of a directory is certainly dead: it had the kernel lock, and now we have that. */
function isAbandoned(directory: string, hasKernelLock: boolean): boolean {
  const stats = ifThere(() => disk.lstat(directory));
  if (stats?.isDirectory() === false) {
    throw Object.assign(new Error(`${directory} is not a directory`), { code: 'ENOTDIR' });
  }
  return hasKernelLock && (Number(stats?.mode) & MARK) !== 0 && isKernelLockLocal(directory);
}
