import * as fs from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { debugOutput } from '../observe/debug.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

/** The number of an open file. */
export type Descriptor = number;

/**
 * Every call of the store that touches the disk, in one place because tests let each of them fail in turn, and replay
 * them to see what a power cut leaves. Only flushes go through the thread pool. Everything else is synchronous: it
 * reaches no further than the memory of the kernel, and the pool would take ten times as long.
 */
export const disk = {
  open: fs.openSync as (path: string, flags: string | number, mode?: number) => Descriptor,
  close: fs.closeSync,
  read: (file: Descriptor, bytes: Buffer, offset: number, position: number) =>
    fs.readSync(file, bytes, offset, bytes.length - offset, position),
  write: (file: Descriptor, bytes: Buffer, offset: number, position: number) =>
    fs.writeSync(file, bytes, offset, bytes.length - offset, position),
  truncate: fs.ftruncateSync,
  chmod: fs.fchmodSync,
  chown: fs.fchownSync,
  /** Flushes the content, not the times. */
  datasync: promisify(fs.fdatasync),
  sync: promisify(fs.fsync),
  /** With bigints, because an inode may have more digits than a number holds. */
  fstat: (file: Descriptor) => fs.fstatSync(file, { bigint: true }),
  /** @returns `undefined` if there is nothing */
  stat: (path: string) => fs.statSync(path, { bigint: true, throwIfNoEntry: false }),
  /** @returns `undefined` if there is nothing */
  lstat: (path: string) => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }),
  exists: fs.existsSync,
  realpath: fs.realpathSync.native as (path: string) => string,
  mkdir: (path: string, mode: number) => fs.mkdirSync(path, { mode }),
  rmdir: fs.rmdirSync as (path: string) => void,
  unlink: fs.unlinkSync,
  utimes: fs.utimesSync,
  /** The type of a file system, as statfs(2) numbers it. */
  fileSystemOf: (path: string) => fs.statfsSync(path).type,
  /** For files of the kernel only: others may be pipes, or endless. */
  readSystemFile: (path: string) => fs.readFileSync(path, 'utf8'),
};

const { O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/** How to open something. A new file must not be there yet; what is there is no link to follow, and no pipe to wait for. */
export const OPEN = {
  toCreate: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW,
  toRead: O_RDONLY | O_NOFOLLOW | O_NONBLOCK,
  toWrite: O_RDWR | O_NOFOLLOW | O_NONBLOCK,
  directory: O_RDONLY | O_DIRECTORY,
};

/** All bytes of an open file of that size. */
export function readAll(file: Descriptor, size: bigint): Buffer {
  const bytes = Buffer.allocUnsafe(Number(size));
  let at = 0;
  for (let count = -1; count !== 0 && at < bytes.length; at += count) count = disk.read(file, bytes, at, at);
  return bytes.subarray(0, at);
}

/** Writes all these bytes into an open file, from a position on. */
export function writeAll(file: Descriptor, bytes: Buffer, position = 0): void {
  for (let at = 0; at < bytes.length; ) at += disk.write(file, bytes, at, position + at);
}

/** Closes a file that is done with. */
export function closeSafely(file: Descriptor): void {
  try {
    disk.close(file);
  } catch (error) {
    debug('closing a file: %s', (error as Error).message);
  }
}

/**
 * Replaces the content of an open file in place, and flushes it.
 *
 * @param meanwhile - what the file begins with until all the rest is written
 */
export async function replaceAll(
  file: Descriptor,
  bytes: Buffer,
  meanwhile: Buffer = Buffer.of(),
): Promise<void> {
  const { length } = meanwhile;
  writeAll(file, meanwhile);
  disk.truncate(file, length);
  writeAll(file, bytes.subarray(length), length);
  writeAll(file, bytes.subarray(0, length));
  await disk.datasync(file);
}

/** The name of a system error by its number, for example `EDQUOT` for 122, which Node.js 20 does not name. */
export const errnoName = (errno: number): string =>
  Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`;

/** The system's code of an error, for example `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  // Somebody may have thrown `null`.
  const { code, errno } = (error ?? {}) as NodeJS.ErrnoException;
  return code?.startsWith?.('Unknown system error') ? errnoName(-Number(errno)) : code;
}

/** The error of a call whose access to the disk failed: what it did, and what is true now. */
export const diskError = (cause: unknown, what: string, state: string): SPLockedFileError =>
  new SPLockedFileError(codeOf(cause) ?? 'EIO', `${what}: ${(cause as Error).message}; ${state}`, { cause });

/** Whether the error means that this user lacks the permission. */
export const isDenied = (error: unknown) => ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '');

/** Whether the error means that the file system, or the quota of this user, is full. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');

/** Removes something that may be gone. */
export function removeIfThere(remove: () => void): void {
  try {
    remove();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}
