import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test.concurrent.each([
  ['koffi', '077'],
  ['flock', '022'],
])(
  'withLock() and add() of users of one group, and of processes in containers, finish what the other left (%s)',
  async (locker, umask) => {
    const { skipped, figures } = await torture('users', { locker, umask });
    if (skipped === undefined) expect(figures).toHaveProperty('twoUsers');
  },
  TIMEOUT,
);
