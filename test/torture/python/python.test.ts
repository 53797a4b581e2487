import { expect, test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'beside Python services nothing that was acknowledged is lost, and nobody waits too long',
  async () => {
    const { figures, skipped } = await torture('python', { changes: 100, rounds: 6, seconds: 6 });
    if (skipped === undefined) expect(figures['staleCopy']).toMatchObject({ lost: 0 });
  },
  TIMEOUT,
);
