import { existsSync, readFileSync, statSync } from 'node:fs';
import { SPLockedJSONDB } from 'storpool-spopenstack';

/** What a killed holder left: `nothing`, or a lock directory that is `marked` as one of a holder of the kernel lock or is not. */
export function leftBehind(file) {
  const stats = statSync(`${file}.lock`, { throwIfNoEntry: false });
  if (stats === undefined) return 'nothing';
  return stats.mode & 0o1000 ? 'marked' : 'unmarked';
}

/** What is in the journal of a file, if there is one. */
export const journalOf = (file) =>
  existsSync(`${file}.backup`) ? readFileSync(`${file}.backup`, 'utf8') : undefined;

/** Whether what a file holds is no JSON. */
export function isTorn(file) {
  try {
    JSON.parse(readFileSync(file, 'utf8'));
    return false;
  } catch {
    return true;
  }
}

/**
 * Watches a file for so many milliseconds until it is shorter than `whole`, which it is only while it is written, and
 * calls back in that very moment. It keeps this process busy.
 */
export function whenTorn(file, whole, patience, callback) {
  const end = performance.now() + patience;
  while (performance.now() < end) {
    if (statSync(file).size < whole) return callback();
  }
}

/** Keeps its warnings. */
export class QuietDB extends SPLockedJSONDB {
  warnings = [];

  warn(message) {
    this.warnings.push(message);
  }
}
