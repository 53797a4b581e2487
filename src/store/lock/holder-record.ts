import type { BigIntStats } from 'node:fs';
import { hostname } from 'node:os';
import { debugOutput } from '../../observe/debug.js';
import { writeLike } from '../file/create-like.js';
import { codeOf, disk, type OpenFile, replacing } from '../file/disk.js';
import { readSmall } from '../file/in-place.js';

const debug = debugOutput('storpool:lock');

/** Who made a lock directory: the content of the file beside it. */
export interface HolderRecord {
  pid: number;
  host: string;
  /** The boot ID of the kernel. Services in containers share it, but neither host name nor process IDs. */
  bootId: string;
  /** ISO 8601 */
  since: string;
  /** Whether the maker had the kernel lock, too. Then whoever has it now knows that the maker is dead. */
  kernelLock: boolean;
  /** The {@link identity} of the directory; the record is valid for no other. */
  directory: string;
  /** What the maker uses the lock for, if it says so. */
  purpose?: string | undefined;
}

/** The usual place of the directory, which all users of `proper-lockfile` share. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

export const recordPath = (path: string) => `${path}.holder`;

/** Tells a directory from one made later at the same place. */
export const identity = ({ ino, birthtimeNs }: BigIntStats) => `${ino}:${birthtimeNs}`;

/** A larger file is not a record. Bytes. */
const LARGEST_RECORD = 4096;

let bootIdRead: string | undefined;

/** The boot ID of the running kernel; empty if it cannot be read, and then no record is trusted. */
export function bootId(): string {
  try {
    bootIdRead ??= disk.readSystemFile('/proc/sys/kernel/random/boot_id').trim();
  } catch {
    bootIdRead = '';
  }
  return bootIdRead;
}

/** The record beside the lock directory of that file, or what somebody has put there. */
export function readRecord(path: string): Partial<HolderRecord> | null | undefined {
  try {
    const content = readSmall(recordPath(path), LARGEST_RECORD);
    return content && JSON.parse(content.toString());
  } catch (error) {
    debug('no record of the holder of %s: %s', path, (error as Error).message);
    return undefined;
  }
}

/**
 * Writes down who we are. If that fails, the only loss is that after a kill, others wait until our directory is stale.
 */
export function writeRecord(
  path: string,
  file: OpenFile,
  { directory, kernelLock, purpose }: Pick<HolderRecord, 'directory' | 'kernelLock' | 'purpose'>,
): void {
  const record: HolderRecord = {
    pid: process.pid,
    host: hostname(),
    bootId: bootId(),
    since: new Date().toISOString(),
    kernelLock,
    directory,
    purpose,
  };
  const name = recordPath(path);
  try {
    // A new file, because one that another user left behind may not be writable.
    replacing(name, () => writeLike(file, name, Buffer.from(JSON.stringify(record))));
  } catch (error) {
    debug('cannot write %s: %s', name, (error as Error).message);
  }
}

/** A record without its directory says nothing: it does no harm where it cannot be removed. */
export function removeRecord(path: string): void {
  try {
    disk.unlink(recordPath(path));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') debug('cannot remove %s: %s', recordPath(path), (error as Error).message);
  }
}
