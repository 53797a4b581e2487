import { readFileSync, statSync } from 'node:fs';
import { now } from '../../test/lib/stats.mjs';

const EVERY = 2;

/**
 * Looks every 2 ms who has the kernel lock of a file. `stop()` gives the longest time, in ms, for which one process had
 * it; holds that follow one another in one process within that time count as one.
 */
export function watchHolds(file) {
  const lock = new RegExp(`FLOCK .* (\\d+) \\S+:${statSync(file).ino} `, 'u');
  let holder;
  let since;
  let longest = 0;
  const look = () => {
    const found = readFileSync('/proc/locks', 'utf8').match(lock)?.[1];
    if (holder !== undefined) longest = Math.max(longest, now() - since);
    if (found !== holder) since = now();
    holder = found;
  };
  const timer = setInterval(look, EVERY);
  return {
    stop() {
      clearInterval(timer);
      look();
      return longest;
    },
  };
}
