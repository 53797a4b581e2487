import { dirname } from 'node:path';
import { codeOf, disk, ifThere } from '../file/disk.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { identity, lockDirectoryOf, readRecord } from './holder-record.js';

/**
 * Who has the locks on a file now, in words, as far as can be told.
 *
 * @param path - the file's canonical path
 */
export function describeHolder(path: string): string {
  const holders = [kernelHolder(path), directoryHolder(path)].filter((holder) => holder !== undefined);
  return holders.length === 0 ? 'its holder left no name' : holders.join('; ');
}

/** From the record, if it is that of the directory. */
function directoryHolder(path: string): string | undefined {
  const record = readRecord(path);
  try {
    if (record?.directory !== identity(disk.stat(lockDirectoryOf(path)))) return undefined;
    const purpose = typeof record.purpose === 'string' ? ` for ${record.purpose}` : '';
    return `the lock directory was made by process ${record.pid} on ${record.host} at ${record.since}${purpose}`;
  } catch {
    return undefined;
  }
}

/** `/proc/locks` has a line for each lock: number, FLOCK, ADVISORY, WRITE, process ID, device and inode, range. */
function kernelHolder(path: string): string | undefined {
  try {
    const { dev, ino } = disk.stat(path);
    const held = disk
      .readSystemFile('/proc/locks')
      .split('\n')
      .map((line) => /: FLOCK .* WRITE (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /u.exec(line))
      .filter((match) => match?.[4] === String(ino));
    // The device number is as stat(2) packs it; where a file system has many (btrfs), the one of the lock is another.
    const exact = held.find((match) => dev === packed(`0x${match?.[2]}`, `0x${match?.[3]}`));
    const pid = (exact ?? held[0])?.[1];
    return (
      pid &&
      `the kernel lock ${exact ? 'belongs' : 'seems to belong'} to process ${pid} (${processName(pid)})`
    );
  } catch {
    // Not every system has the file, and not every user may read it. The error is useful without this part.
    return undefined;
  }
}

const packed = (major: string, minor: string) =>
  (BigInt(minor) & 0xffn) | (BigInt(major) << 8n) | ((BigInt(minor) & ~0xffn) << 12n);

function processName(pid: string): string {
  try {
    return disk.readSystemFile(`/proc/${pid}/comm`).trim();
  } catch {
    return 'of an unknown name';
  }
}

/** The error of a call that could not lock a file, with a remedy. @internal */
export function cannotLock(fname: string, error: unknown): unknown {
  const code = codeOf(error);
  if (code === undefined || error instanceof SPLockedFileError) return error;
  const message = `Cannot lock ${fname}: ${(error as Error).message}${remedy(code, fname)}`;
  return new SPLockedFileError(code, message, { cause: error });
}

function remedy(code: string, fname: string): string {
  switch (code) {
    case 'ENOENT':
      if (!disk.exists(dirname(fname))) {
        return `. Create the directory ${dirname(fname)}, mode 0770 and the group of the OpenStack services, and the file in it`;
      }
      if (ifThere(() => disk.lstat(fname)) !== undefined) {
        return '. It is a link that leads nowhere: correct it, or put the file in its place';
      }
      return '. Create it with the content {}, mode 0660 and the group of the OpenStack services';
    case 'EISDIR':
      return '. Move it away, and put the file in its place';
    case 'EACCES':
    case 'EPERM':
      return '. Let this user be in the group of the file and of its directory, and let both be writable for it';
    default:
      return '';
  }
}
