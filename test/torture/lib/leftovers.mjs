import { existsSync, readFileSync, statSync } from 'node:fs';
import { identity, lockDirectoryOf, recordPath } from '../../../build/store/lock/holder-record.js';

/**
 * What a killed holder left beside the file: `nothing`, a lock directory with the record that speaks for it
 * (`recorded`), or one without, which everybody has to respect until it is stale (`unrecorded`).
 */
export function leftBehind(path) {
  const directory = lockDirectoryOf(path);
  const stats = statSync(directory, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return 'nothing';
  try {
    const record = JSON.parse(readFileSync(recordPath(path), 'utf8'));
    return record.directory === identity(stats) ? 'recorded' : 'unrecorded';
  } catch {
    return 'unrecorded';
  }
}

/** The lock directory and the record, of which nothing stays once a holder has released them. */
export const lockFiles = (path) =>
  [lockDirectoryOf(path), recordPath(path)].filter((name) => existsSync(name));
