import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'whoever is killed, nothing that was acknowledged is lost where it must not be',
  async () => {
    const { figures, skipped } = await torture('chaos', { seconds: 15 });
    if (skipped === undefined) expect(figures['lost']).toMatchObject({ 'of Node.js': 0 });
  },
  TIMEOUT,
);
