import * as fs from 'node:fs';
import { constants } from 'node:os';
// Not the global ones, which fake timers replace.
import { clearInterval, setInterval } from 'node:timers';
import { promisify } from 'node:util';
import { debugOutput } from '../../observe/debug.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);

/** A flush that does not come back keeps the locks: whoever looks for the reason finds it in the debug output. */
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
 * An open file. Only flushing waits, and goes through the thread pool: everything else reaches no further than the
 * memory of the kernel, and takes a tenth of the time that the way through the pool would.
 */
export class OpenFile {
  readonly fd: number;
  readonly path: string;

  constructor(fd: number, path: string) {
    this.fd = fd;
    this.path = path;
  }

  /** With bigints, because an inode has more digits than a number. */
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
 * Every call with which the store touches the disk, and through `open` every call on a descriptor, in one
 * place: tests let each of them fail in turn, and replay them to see what a power cut would leave.
 */
export const disk = {
  open: (path: string, flags: string | number, mode?: number) =>
    new OpenFile(fs.openSync(path, flags, mode), path),
  /** For what the kernel makes up; other files may be pipes, or endless. */
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

/** The flags for a file that must not be there before, not even as a link. */
export const CREATE = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
/** The flags for a file of ours where somebody may have put a link or a pipe, on which opening waits. */
export const READ = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
export const READ_WRITE = O_RDWR | O_NOFOLLOW | O_NONBLOCK;

/** The name of a system error by its number, for example `EDQUOT` for 122, which Node.js 20 does not name. */
export const errnoName = (errno: number): string =>
  Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`;

/** The system's code of an error, for example `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  const { code, errno } = error as NodeJS.ErrnoException;
  return code?.startsWith?.('Unknown system error') ? errnoName(-Number(errno)) : code;
}

/** The error of a call whose access to the disk failed: what that was, and what is so now. */
export const diskError = (cause: unknown, what: string, state: string): SPLockedFileError =>
  new SPLockedFileError(codeOf(cause) ?? 'EIO', `${what}: ${(cause as Error).message}; ${state}`, { cause });

/** Whether the error says that this user may not. */
export const isDenied = (error: unknown) => ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '');

/** Whether the error says that the file system, or this user's share of it, has no room. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');

/** Gives `undefined` for a thing that is missing. */
export function ifThere<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return undefined;
  }
}

/** Makes a new file in the place of what an earlier process may have left there. */
export function replacing<T>(path: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    ifThere(() => disk.unlink(path));
    return make();
  }
}
