import { expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

test.each(LOCKERS)(
  'a kill or a fault at a system call loses nothing, and brings nothing back (%s)',
  async (locker) => {
    const { checks, skipped } = await torture('calls', {
      locker,
      faults: 'SIGKILL+EIO',
      scenes: locker === 'koffi' ? 'add+restoreTheirs' : 'add',
      every: 11,
    });
    if (skipped === undefined) expect(checks).toBeGreaterThan(30);
  },
  TIMEOUT,
);
