import { codeOf, disk } from './disk.js';
import { lockDirectoryOf } from './lock-directory.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

/**
 * Who has the locks on a file now, in words, as far as can be told.
 *
 * @param path - the file's canonical path
 */
export function describeHolder(path: string): string {
  const parts = [describeKernelLock(path), describeDirectory(lockDirectoryOf(path))];
  return parts.filter((part) => part !== undefined).join('; ');
}

/** The error of a call that has waited for the lock for `timeout` milliseconds. @internal */
export function lockTimedOut(fname: string, timeout: number, isQueued: boolean): SPLockedFileError {
  const queue = isQueued ? 'other calls of this process come before this one; ' : '';
  let holder: string;
  try {
    holder = describeHolder(disk.realpath(fname));
  } catch (error) {
    holder = (error as Error).message;
  }
  const message = `${fname} could not be locked within ${Math.round(timeout)} ms: ${queue}${holder}. Try again, with a longer timeout if need be`;
  return new SPLockedFileError('ELOCKED', message);
}

/** `/proc/locks` has a line for each lock: number, FLOCK, ADVISORY, WRITE, process ID, device and inode, range. */
function describeKernelLock(path: string): string {
  try {
    const { dev, ino } = disk.stat(path) ?? {};
    const held = disk
      .readSystemFile('/proc/locks')
      .split('\n')
      .map((line) => /: FLOCK .* (?:READ|WRITE) (\d+) ([0-9a-f]+):([0-9a-f]+):(\d+) /u.exec(line))
      .filter((match) => match?.[4] === String(ino));
    // The device number is as stat(2) packs it; where a file system has many (btrfs), the one of the lock is another.
    const exact = held.find((match) => dev === packed(`0x${match?.[2]}`, `0x${match?.[3]}`));
    const pid = (exact ?? held[0])?.[1];
    if (pid === undefined) {
      return 'no process that can be seen from here has the kernel lock (one in another container cannot)';
    }
    if (pid === String(process.pid)) return 'another call of this process has the kernel lock';
    return `process ${pid} ${exact ? 'has' : 'seems to have'} the kernel lock (${commandLine(pid)})`;
  } catch (error) {
    return `it cannot be told who has the kernel lock (${(error as Error).message})`;
  }
}

const packed = (major: string, minor: string) =>
  (BigInt(minor) & 0xffn) | (BigInt(major) << 8n) | ((BigInt(minor) & ~0xffn) << 12n);

/** Characters of a command line that are worth reading. */
const LONGEST = 200;

function commandLine(pid: string): string {
  try {
    const words = disk
      .readSystemFile(`/proc/${pid}/cmdline`)
      .replaceAll(/\p{Cc}/gu, ' ')
      .trim();
    return words.length > LONGEST ? `${words.slice(0, LONGEST)}…` : words;
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') return (error as Error).message;
    return 'it has ended: the flock program, which took the lock for a process that cannot be named';
  }
}

function describeDirectory(directory: string): string | undefined {
  const stats = disk.stat(directory);
  if (stats === undefined) return undefined;
  const age = Math.round((Date.now() - Number(stats.mtimeMs)) / 1000);
  const when = age < 0 ? `${-age} s in the future (was the clock set back?)` : `${age} s ago`;
  return `${directory} was refreshed ${when}, by a process that cannot be told; after 10 s without a refresh it is taken over`;
}
