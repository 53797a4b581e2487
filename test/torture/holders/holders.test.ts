import { describe, expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

// Side by side, since most of the time goes by in waiting.
describe.concurrent.each(LOCKERS)('holders that block, stop and die, locking through %s', (locker) => {
  test(
    'are never two, and hold up nobody longer than they must',
    async () => {
      const short = { block: 12_500, timeout: 20_000, rounds: 3, within: 1000, together: 8 };
      const { figures } = await torture('holders', { ...short, locker });
      expect(Object.keys(figures)).toHaveLength(17);
    },
    TIMEOUT,
  );
});
