import { expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

test.concurrent.each(LOCKERS)(
  'add() and remove() of writers that are killed lose nothing that was acknowledged (%s)',
  async (locker) => {
    const options = { kills: 16, entries: '50,2000', aimed: 0.6, within: 1000, worst: 1900, locker };
    const { figures } = await torture('kill', options);
    expect(figures['50 entries']).toMatchObject({ kills: 8 });
    expect(figures['2000 entries']).toMatchObject({ kills: 8 });
  },
  TIMEOUT,
);
