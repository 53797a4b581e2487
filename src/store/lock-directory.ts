import { statSync } from 'node:fs';
import { debugOutput } from '../observe/debug.js';
import { codeOf, disk, removeIfThere } from './disk.js';
import { isKernelLockLocal } from './kernel-lock.js';

const debug = debugOutput('storpool:lock');

/** The usual place of the directory, which all users of `proper-lockfile` share. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

/** A lock directory of ours. */
export interface LockDirectory {
  /** @throws if it was taken over, or may be in a moment */
  check(): void;
  release(): void;
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

/** `proper-lockfile`, whose asynchronous calls would go through the thread pool, which takes ten times as long. */
export type LockSync = typeof import('proper-lockfile').lockSync;

let loaded: Promise<LockSync> | undefined;

export function loadLockSync(): Promise<LockSync> {
  loaded ??= import('proper-lockfile').then(({ lockSync }) => lockSync);
  return loaded;
}

/** Tries to make the lock directory of a file; `taken`: somebody else has it. */
export function tryLockDirectory(
  lockSync: LockSync,
  path: string,
  hasKernelLock: boolean,
  stale: number,
): LockDirectory | 'taken' {
  const directory = lockDirectoryOf(path);
  let lost: Error | undefined;
  /** Inodes are reused, so the time that we have set tells our directory from a later one, too. */
  let ours: { ino: bigint; mtimeNs: bigint; refreshed: number } | undefined;
  const isOurs = () => {
    const there = disk.stat(directory);
    return there !== undefined && there.ino === ours?.ino && there.mtimeNs === ours.mtimeNs;
  };
  const options = {
    realpath: false,
    stale,
    update: USUAL_STALE / 2,
    fs: {
      mkdirSync: () => disk.mkdir(directory, hasKernelLock ? MARK | 0o755 : 0o755),
      // proper-lockfile compares this time with one that it has set; with bigints, stat() would round it down.
      statSync: () => statSync(directory),
      /** Called at once by `lockSync`, which tries out how precise the times are here, and then every five seconds. */
      utimesSync(_directory: string, atime: Date, mtime: Date) {
        disk.utimes(directory, atime, mtime);
        // If it is gone by now, whatever comes there next is not ours.
        const { ino = -1n, mtimeNs = -1n } = disk.stat(directory) ?? {};
        ours = { ino, mtimeNs, refreshed: now() };
      },
      rmdirSync() {
        // Not touched by us yet: a stale one of somebody else, or one that was just made and cannot be touched.
        if (ours === undefined || isOurs()) disk.rmdir(directory);
      },
    },
    onCompromised(error: Error) {
      debug('%s: %s', directory, error.message);
      lost = error;
    },
  };
  const lock = () => unlessTaken(() => lockSync(path, options));
  let unlock = lock();
  if (unlock === undefined && isAbandoned(directory, hasKernelLock)) {
    debug('%s was left behind, removing it', directory);
    removeIfThere(() => disk.rmdir(directory));
    unlock = lock();
  }
  if (unlock === undefined) return 'taken';
  return {
    check() {
      if (lost !== undefined) throw lost;
      if (!isOurs()) throw new Error('another program took it over');
      const age = now() - (ours?.refreshed ?? 0);
      if (age > TRUSTED) throw new Error(`its directory was not refreshed for ${Math.round(age / 1000)} s`);
    },
    release() {
      // proper-lockfile does not remove a directory that it could not refresh.
      if (lost === undefined) unlock();
      else if (isOurs()) disk.rmdir(directory);
    },
  };
}

function unlessTaken<T>(lock: () => T): T | undefined {
  try {
    return lock();
  } catch (error) {
    // ENOENT: another program whose clock is ahead took it for stale, and removed it before it was ready.
    if (['ELOCKED', 'ENOENT'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/** Whether the maker of a directory is certainly dead: it had the kernel lock, and now we have that. */
function isAbandoned(directory: string, hasKernelLock: boolean): boolean {
  const stats = disk.lstat(directory);
  if (stats?.isDirectory() === false) {
    throw Object.assign(new Error(`${directory} is not a directory`), { code: 'ENOTDIR' });
  }
  return hasKernelLock && (Number(stats?.mode) & MARK) !== 0 && isKernelLockLocal(directory);
}
