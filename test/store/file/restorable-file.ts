import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, vi } from 'vitest';
import { useTempDir } from '../../lib/temp-dir.js';
import { QuietDB } from '../quiet-db.js';
import { type Tamper, tamperWithDisk } from './tampered-disk.js';

export class NotedDB extends QuietDB {
  note(): Promise<string | undefined> {
    return this.withLock(async () => {
      await this.loadShared();
      return this.restoredNote;
    });
  }
}

export let fname: string;
export let db: NotedDB;
/** Ends what `tamper()` has begun. */
export let mend: () => void = () => undefined;

/** A file of its own for each test. @returns the path of a name beside it */
export function useRestorableFile(): (name?: string) => string {
  const path = useTempDir();
  beforeEach(() => {
    fname = path('db.json');
    writeFileSync(fname, '{}');
    db = new NotedDB(fname);
  });
  afterEach(() => {
    mend();
    vi.restoreAllMocks();
  });
  return path;
}

/** Lets every call of the disk go through `before`, until the test is over or mends it. */
export function tamper(before: Tamper): void {
  mend = tamperWithDisk(before);
}

export const copy = () => readFileSync(`${fname}.backup`, 'utf8');

/** What a write of this library leaves that is killed when it has written so much of the file. */
export function interruptedWrite(content: string, written: string): void {
  writeFileSync(`${fname}.backup`, `${content}\t`);
  writeFileSync(fname, written);
  // However busy the machine is.
  for (const file of [fname, `${fname}.backup`]) utimesSync(file, 1e9, 1e9);
}

/** As Python writes, without a flush and without a copy. */
export const writeAsPython = (content: object) => writeFileSync(fname, JSON.stringify(content, undefined, 1));
