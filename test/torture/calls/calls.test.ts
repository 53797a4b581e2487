import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test.each([
  ['add', 'koffi'],
  ['finishAfterTakeOver', 'koffi'],
  ['add', 'flock'],
])(
  'add() that is killed, or whose disk fails, at a system call loses nothing (%s, %s)',
  async (only, locker) => {
    const { checks, skipped } = await torture('calls', { locker, only, faults: 'SIGKILL,EIO', every: 11 });
    if (skipped === undefined) expect(checks).toBeGreaterThan(20);
  },
  TIMEOUT,
);
