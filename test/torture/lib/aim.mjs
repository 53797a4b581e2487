import { closeSync, fstatSync, openSync } from 'node:fs';

/**
 * Watches a file until it is shorter than whole, which it is only between the truncation and the end of the
 * write in place, and calls back in that very moment. It keeps this process busy.
 *
 * @returns whether the moment came within that many milliseconds
 */
export function whenTorn(path, whole, patience, callback) {
  const fd = openSync(path, 'r');
  try {
    const end = performance.now() + patience;
    while (fstatSync(fd).size >= whole) {
      if (performance.now() > end) return false;
    }
    callback();
    return true;
  } finally {
    closeSync(fd);
  }
}
