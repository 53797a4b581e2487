import { expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

// Side by side, since most of the time goes by in waiting.
test.concurrent.each(LOCKERS)(
  'withLock() of holders that block, stop and die is never two at work, and holds up nobody for longer than it must (%s)',
  async (locker) => {
    const short = { block: 12_500, rounds: 3, within: 1000, together: 8 };
    const { figures } = await torture('holders', { ...short, locker });
    expect(Object.keys(figures)).toHaveLength(14);
  },
  TIMEOUT,
);
