import { describe, expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

// Side by side, since most of the time goes by in waiting for what a killed one left behind to be stale.
describe.concurrent.each(LOCKERS)('writers that are killed, locking through %s', (locker) => {
  test(
    'lose nothing that was acknowledged, and hold up nobody',
    async () => {
      const options = { kills: 16, entries: '50,2000', aimed: 0.6, within: 1000, worst: 1900, locker };
      const { figures } = await torture('kill', options);
      expect(figures['50 entries']).toMatchObject({ kills: 8, 'keys lost': 0 });
      expect(figures['2000 entries']).toMatchObject({ kills: 8, 'keys lost': 0 });
    },
    TIMEOUT,
  );
});
