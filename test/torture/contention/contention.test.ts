import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'add() of Python and Node.js processes at the same time loses no change, and keeps nobody waiting',
  async () => {
    const { figures } = await torture('contention', { python: 2, changes: 20, seconds: 6 });
    expect(figures['changes']).toMatchObject({ keys: '120 of 120' });
  },
  TIMEOUT,
);
