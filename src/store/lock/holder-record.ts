import type { BigIntStats } from 'node:fs';
import { hostname } from 'node:os';
import { debugOutput } from '../../observe/debug.js';
import { disk, ignoreMissing, replacing } from '../file/disk.js';

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
}

/** The directory's usual place, where everyone who uses `proper-lockfile` on the same file looks. */
export const lockDirectoryOf = (path: string) => `${path}.lock`;

export const recordPath = (path: string) => `${path}.holder`;

/** What tells a directory from one made later at the same place. */
export const identity = ({ ino, birthtimeNs }: BigIntStats) => `${ino}:${birthtimeNs}`;

let bootIdRead: Promise<string> | undefined;

/** The ID of the running kernel, empty where there is none to be read; then no record is trusted. */
export function bootId(): Promise<string> {
  bootIdRead ??= disk.readFile('/proc/sys/kernel/random/boot_id').then(
    (text) => text.trim(),
    () => '',
  );
  return bootIdRead;
}

/** The record beside the lock directory of that file, if a whole one is there. */
export async function readRecord(path: string): Promise<HolderRecord | undefined> {
  try {
    const record: Partial<HolderRecord> = JSON.parse(await disk.readFile(recordPath(path)));
    const { pid, host, bootId, since, kernelLock, directory } = record;
    const whole =
      typeof pid === 'number' &&
      [host, bootId, since, directory].every((text) => typeof text === 'string') &&
      typeof kernelLock === 'boolean';
    return whole ? (record as HolderRecord) : undefined;
  } catch (error) {
    debug('no record of the holder of %s: %s', path, (error as Error).message);
    return undefined;
  }
}

/**
 * Writes down who we are. Without a record those who come after us wait until our directory is stale, should
 * we be killed; no more than that is lost if it cannot be written.
 */
export async function writeRecord(path: string, directory: string, kernelLock: boolean): Promise<void> {
  const record: HolderRecord = {
    pid: process.pid,
    host: hostname(),
    bootId: await bootId(),
    since: new Date().toISOString(),
    kernelLock,
    directory,
  };
  try {
    // Made anew, since one that another user left behind cannot be written to.
    await replacing(recordPath(path), () => disk.create(recordPath(path), JSON.stringify(record), 0o644));
  } catch (error) {
    debug('cannot write %s: %s', recordPath(path), (error as Error).message);
  }
}

export async function removeRecord(path: string): Promise<void> {
  await disk.unlink(recordPath(path)).catch(ignoreMissing);
}
