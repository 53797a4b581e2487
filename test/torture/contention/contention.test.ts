import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'Python and Node.js processes that change one file at once lose no change of anybody',
  async () => {
    const { figures } = await torture('contention', { python: 2, node: 4, changes: 20, locker: 'mixed' });
    expect(figures['keys']).toBe('120 of 120');
  },
  TIMEOUT,
);
