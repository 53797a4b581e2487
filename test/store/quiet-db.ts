import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, vi } from 'vitest';
import { type LockOptions, SPLockedJSONDB } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';
import { type Tamper, tamperWithDisk } from './tampered-disk.js';

/** Keeps its warnings in place of printing them. */
export class QuietDB extends SPLockedJSONDB {
  warnings: string[] = [];
  protected override warn(message: string): void {
    this.warnings.push(message);
  }
}

export let fname: string;
/** Its lock directory. */
export let directory: string;
/** Ends what `tamper()` has begun. */
export let mend: () => void = () => undefined;

/** A file of its own for each test. @returns the path of a name beside it */
export function useLockedFile(content = '{}'): (name?: string) => string {
  const path = useTempDir();
  beforeEach(() => {
    fname = path('db.json');
    directory = path('db.json.lock');
    writeFileSync(fname, content);
  });
  afterEach(() => {
    mend();
    vi.restoreAllMocks();
    vi.useRealTimers();
  });
  return path;
}

export const onDisk = () => readFileSync(fname, 'utf8');

export const make = (lock?: LockOptions) => new QuietDB(fname, lock);

/** Lets every call of the disk go through `before`, until the test is over or mends it. */
export function tamper(before: Tamper): void {
  mend = tamperWithDisk(before);
}
