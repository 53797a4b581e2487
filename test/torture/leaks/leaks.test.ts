import { describe, expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

describe.each(LOCKERS)('a process that locks again and again through %s', (locker) => {
  test(
    'keeps nothing of it',
    async () => {
      const short = { cycles: 100, refused: 20, 'warm-up': 50, growth: 4096 };
      const { figures } = await torture('leaks', { ...short, locker });
      expect(figures).toHaveProperty('descriptors');
    },
    TIMEOUT,
  );
});
