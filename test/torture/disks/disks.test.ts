import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'add() on a full disk, and on one that becomes read-only, loses nothing',
  async (context) => {
    const { skipped, figures } = await torture('disks', { rounds: 8 });
    if (skipped) context.skip(skipped);
    expect(Object.keys(figures)).toHaveLength(3);
  },
  TIMEOUT,
);
