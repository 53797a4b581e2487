import * as fs from 'node:fs';
import { constants } from 'node:os';
// Not the globals, which fake timers replace.
import { clearInterval, setInterval } from 'node:timers';
import { promisify } from 'node:util';
import { debugOutput } from '../../observe/debug.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);

/** A flush that hangs keeps the locks, so the debug output says that it hangs. */
async function watched(flush: Promise<void>, path: string): Promise<void> {
  const start = performance.now();
  const timer = setInterval(() => {
    const waited = Math.round(performance.now() - start);
    debug('waiting for %d ms for the flush of %s: for the disk, or for a thread of the pool', waited, path);
  }, 1000);
  try {
    await flush;
  } finally {
    clearInterval(timer);
  }
}

/**
 * An open file. Only flushes go through the thread pool. Everything else is synchronous: it reaches no further than the
 * memory of the kernel, and the pool would take ten times as long.
 */
export class OpenFile {
  readonly fd: number;
  readonly path: string;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** With bigints, because an inode may have more digits than a number holds. */
  stat(): fs.BigIntStats {
    return fs.fstatSync(this.fd, { bigint: true });
  }

  /** @returns the number of bytes read */
  read(bytes: Buffer, offset: number, length: number, position: number): number {
    return fs.readSync(this.fd, bytes, offset, length, position);
  }

  /** @returns the number of bytes written */
  write(bytes: Buffer, offset: number, length: number, position: number): number {
    return fs.writeSync(this.fd, bytes, offset, length, position);
  }

  truncate(size: number): void {
    fs.ftruncateSync(this.fd, size);
  }

  chmod(mode: number): void {
    fs.fchmodSync(this.fd, mode);
  }

  /** @param uid - -1 leaves it as it is */
  chown(uid: number, gid: number): void {
    fs.fchownSync(this.fd, uid, gid);
  }

  /** Flushes the content, not the times. */
  datasync(): Promise<void> {
    return watched(fdatasync(this.fd), this.path);
  }

  sync(): Promise<void> {
    return watched(fsync(this.fd), this.path);
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

/**
 * Every call of the store that touches the disk; `open` leads to those on a descriptor. They are in one place because
 * tests let each of them fail in turn, and replay them to see what a power cut leaves.
 */
export const disk = {
  open: (path: string, flags: string | number, mode?: number) =>
    new OpenFile(fs.openSync(path, flags, mode), path),
  /** For files of the kernel only: others may be pipes, or endless. */
  readSystemFile: (path: string) => fs.readFileSync(path, 'utf8'),
  realpath: (path: string) => fs.realpathSync.native(path),
  exists: (path: string) => fs.existsSync(path),
  lstat: (path: string) => fs.lstatSync(path, { bigint: true }),
  readdir: (path: string) => fs.readdirSync(path),
  rename: (from: string, to: string) => fs.renameSync(from, to),
  rmdir: (path: string) => fs.rmdirSync(path),
  stat: (path: string) => fs.statSync(path, { bigint: true }),
  unlink: (path: string) => fs.unlinkSync(path),
};

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;

/** The flags for a new file; opening fails if anything is there, even a link. */
export const CREATE = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
/** The flags for a file of ours: they do not follow a link, nor wait for a pipe. */
export const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
export const READ_WRITE = O_RDWR | O_NOFOLLOW | O_NONBLOCK;

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

/** @returns `undefined` for a thing that is missing */
export function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Makes a new file, and removes what an earlier process may have left in its place. */
export function replacing<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    ifThere(() => disk.unlink(path));
    return make();
  }
}
