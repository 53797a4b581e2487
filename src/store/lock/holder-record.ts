import type { BigIntStats } from 'node:fs';
import { hostname } from 'node:os';
import { debugOutput } from '../../observe/debug.js';
import { writeLike } from '../file/create-like.js';
import { codeOf, disk, type OpenFile, replacing } from '../file/disk.js';
import { readSmall } from '../file/in-place.js';

const debug = debugOutput('storpool:lock');

/** Who made a lock directory, as it stands in the file beside it. */
export interface HolderRecord {
  pid: number;
  host: string;
  /** Of the running kernel: services in containers share it, though neither host name nor process IDs. */
  bootId: string;
  /** ISO 8601 */
  since: string;
  /** Whether the maker had the kernel lock too: then whoever has it now knows that the maker has gone. */
  kernelLock: boolean;
  /** The {@link identity} of the directory; the record says nothing of any other. */
  directory: string;
  /** What it is doing, where it says so. */
  purpose?: string | undefined;
}

/** The directory's usual place, where everyone who uses `proper-lockfile` on the same file looks. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

export const recordPath = (path: string) => `${path}.holder`;

/** What tells a directory from one made later at the same place. */
export const identity = ({ ino, birthtimeNs }: BigIntStats) => `${ino}:${birthtimeNs}`;

/** Beyond that it is no record. Bytes. */
const LARGEST_RECORD = 4096;

let bootIdRead: string | undefined;

/** The ID of the running kernel, empty where it cannot be read; then no record is trusted. */
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
 * Writes down who we are. Without a record those who come after us wait until our directory is stale, should
 * we be killed; no more than that is lost if it cannot be written.
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
    // Made anew, because one that another user left behind cannot be written to.
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
