import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'add() beside other programs that use the file loses nothing, and leaves it as it was deployed',
  async () => {
    const { figures, skipped } = await torture('neighbours', { changes: 30, rounds: 6 });
    if (skipped === undefined) expect(figures['python']).toMatchObject({ changes: 60, lost: 0 });
  },
  TIMEOUT,
);
