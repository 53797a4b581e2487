import * as fs from 'node:fs';
import { promisify } from 'node:util';

const fdatasync = promisify(fs.fdatasync);
const fsync = promisify(fs.fsync);

/**
 * An open file. Only flushing goes through the thread pool: everything else reaches no further than the
 * memory of the kernel, and takes a tenth of the time that the way through the pool would.
 */
export class OpenFile {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  async stat(): Promise<fs.Stats> {
    return fs.fstatSync(this.fd);
  }

  /** What tells this file from all others; as a plain number an inode may lose digits. */
  async place(): Promise<{ ino: bigint; dev: bigint }> {
    return fs.fstatSync(this.fd, { bigint: true });
  }

  /** @returns the number of bytes read */
  async read(bytes: Buffer, offset: number, length: number, position: number): Promise<number> {
    return fs.readSync(this.fd, bytes, offset, length, position);
  }

  /** @returns the number of bytes written */
  async write(bytes: Buffer, offset: number, length: number, position: number): Promise<number> {
    return fs.writeSync(this.fd, bytes, offset, length, position);
  }

  async truncate(size: number): Promise<void> {
    fs.ftruncateSync(this.fd, size);
  }

  async chmod(mode: number): Promise<void> {
    fs.fchmodSync(this.fd, mode);
  }

  /** @param uid - -1 leaves it as it is */
  async chown(uid: number, gid: number): Promise<void> {
    fs.fchownSync(this.fd, uid, gid);
  }

  /** Flushes the content, not the times. */
  datasync(): Promise<void> {
    return fdatasync(this.fd);
  }

  sync(): Promise<void> {
    return fsync(this.fd);
  }

  async close(): Promise<void> {
    fs.closeSync(this.fd);
  }
}

/**
 * Every call with which the store touches the disk, and through `open` every call on a descriptor, in one
 * place: tests let each of them fail in turn, and replay them to see what a power cut would leave.
 */
export const disk = {
  open: async (path: string, flags: string | number, mode?: number) =>
    new OpenFile(fs.openSync(path, flags, mode)),
  readFile: async (path: string) => fs.readFileSync(path, 'utf8'),
  realpath: async (path: string) => fs.realpathSync.native(path),
  rename: async (from: string, to: string) => fs.renameSync(from, to),
  rmdir: async (path: string) => fs.rmdirSync(path),
  stat: async (path: string) => fs.statSync(path, { bigint: true }),
  unlink: async (path: string) => fs.unlinkSync(path),
  /** Makes a file that was not there before, not even as a link. */
  create: async (path: string, content: string | Buffer, mode: number) =>
    fs.writeFileSync(path, content, { flag: 'wx', mode }),
};

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** The flags for a file that must not be there before, not even as a link. */
export const CREATE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;

/** The system's code of an error, as `ENOENT`. */
export const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Whether the error says that this user may not. */
export const isDenied = (error: unknown) => ['EACCES', 'EPERM', 'EROFS'].includes(codeOf(error) ?? '');

/** Whether the error says that the file system, or this user's share of it, has no room. */
export const isFull = (error: unknown) => ['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '');

/** For a thing that may be missing: gives `undefined` then, and throws any other error. */
export function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
}

/** Makes a new file in the place of what an earlier process may have left there. */
export async function replacing<T>(path: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    await disk.unlink(path).catch(ignoreMissing);
    return make();
  }
}
