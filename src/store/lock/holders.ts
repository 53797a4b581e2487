import { disk } from '../file/disk.js';
import { type HolderRecord, identity, lockDirectoryOf, readRecord } from './holder-record.js';

/** Who has the locks on a file, in words, as far as can be told. */
export async function describeHolder(path: string): Promise<string> {
  const [record, kernel] = await Promise.all([directoryHolder(path), kernelHolder(path)]);
  const told: string[] = [];
  if (kernel !== undefined) told.push(`the kernel lock belongs to ${kernel}`);
  if (record !== undefined) {
    told.push(`the lock directory was made by process ${record.pid} on ${record.host} at ${record.since}`);
  }
  return told.length === 0 ? 'its holder left no name' : told.join('; ');
}

/** The record, if it speaks for the directory that is there. */
async function directoryHolder(path: string): Promise<HolderRecord | undefined> {
  const [record, stats] = await Promise.all([
    readRecord(path),
    disk.stat(lockDirectoryOf(path)).catch(() => undefined),
  ]);
  return stats !== undefined && record?.directory === identity(stats) ? record : undefined;
}

/** `/proc/locks` has a line for each lock: number, FLOCK, ADVISORY, WRITE, process ID, device and inode, range. */
async function kernelHolder(path: string): Promise<string | undefined> {
  try {
    const { ino } = await disk.stat(path);
    const locks = await disk.readFile('/proc/locks');
    const held = locks
      .split('\n')
      .map((line) => /: FLOCK .* WRITE (\d+) [0-9a-f]+:[0-9a-f]+:(\d+) /u.exec(line));
    const pid = held.find((match) => match?.[2] === String(ino))?.[1];
    if (pid === undefined) return undefined;
    const name = await disk.readFile(`/proc/${pid}/comm`).catch(() => 'of an unknown name');
    return `process ${pid} (${name.trim()})`;
  } catch {
    // Not on every system, and not for every user; the error that this is for has a cause of its own.
    return undefined;
  }
}
