import { statSync, writeFileSync } from 'node:fs';
import { beforeEach } from 'vitest';
import type { LockOptions } from '../../../src/index.js';
import { bootId, identity } from '../../../src/store/lock/holder-record.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { QuietDB } from '../quiet-db.js';

export let fname: string;
/** Its lock directory. */
export let directory: string;

/** A file of its own for each test. @returns the path of a name beside it */
export function useLockedFile(): (name?: string) => string {
  const path = useTempDir();
  beforeEach(() => {
    fname = path('db.json');
    directory = path('db.json.lock');
    writeFileSync(fname, '{}');
  });
  return path;
}

export const make = (lock?: LockOptions) => new QuietDB(fname, lock);
export const identityNow = () => identity(statSync(directory, { bigint: true }));

/** A record as a holder of the kernel lock elsewhere writes it for the lock directory that is there. */
export function leaveRecord(changes: Record<string, unknown> = {}): void {
  const record = {
    pid: 4_000_000,
    host: 'elsewhere',
    bootId: bootId(),
    since: '2026-01-01T00:00:00.000Z',
    kernelLock: true,
    directory: identityNow(),
    ...changes,
  };
  writeFileSync(`${fname}.holder`, JSON.stringify(record));
}
