import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { startTimer } from '../async/sleep.js';
import { WatchedDirectory } from './watched-directory.js';

/** While the directory cannot be watched, or is not there yet, it is looked at this often. Milliseconds. */
const POLL_INTERVAL = 8;
/** A watched directory is still looked at now and then: a link may come before the device that it leads to. */
const CHECK_INTERVAL = 100;

/** How long {@link waitForDevices} waits. */
export interface DeviceWaitOptions {
  /** Milliseconds. */
  timeout: number;
  /** Ends the wait at once; it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Waits until all of the devices are in the directory, or the time is up.
 *
 * @returns the names of those that are there
 * @throws the signal's reason when it is aborted
 */
export async function waitForDevices(
  dir: string,
  names: readonly string[],
  { timeout, signal }: DeviceWaitOptions,
): Promise<Set<string>> {
  signal?.throwIfAborted();
  const found = new Set<string>();
  const missing = new Set(names);
  const look = (candidates: ReadonlySet<string> | undefined) => {
    for (const name of missing) {
      // A link whose device is not there yet does not count.
      if (candidates?.has(name) === false || !existsSync(join(dir, name))) continue;
      found.add(name);
      missing.delete(name);
    }
  };
  if (missing.size === 0) return found;
  // Often they are there already.
  look(list(dir));
  if (missing.size === 0 || timeout <= 0) return found;
  const watched = new WatchedDirectory(dir);
  let isOver = false;
  const deadline = startTimer(timeout, () => {
    isOver = true;
    watched.wake();
  });
  let changed: ReadonlySet<string> | undefined;
  let nextList = 0;
  try {
    for (;;) {
      // Watching begins before looking, so that nothing can slip in between.
      const interval = watched.ensure() ? CHECK_INTERVAL : POLL_INTERVAL;
      const now = performance.now();
      // However much else changes there, all of it is looked at in time.
      const isDue = isOver || changed === undefined || now >= nextList;
      look(isDue ? list(dir) : changed);
      nextList = isDue ? now + interval : Math.min(nextList, now + interval);
      if (missing.size === 0 || isOver) break;
      changed = await watched.changeOr(nextList - now, signal);
    }
    return found;
  } finally {
    clearTimeout(deadline);
    watched.close();
  }
}

/** The entries of the directory, or `undefined` where it cannot be listed: its entries may be there all the same. */
function list(dir: string): ReadonlySet<string> | undefined {
  try {
    return new Set(readdirSync(dir));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? new Set() : undefined;
  }
}
