import { describe, expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

describe.concurrent.each(LOCKERS)(
  'users of one group and processes in containers, locking through %s',
  (locker) => {
    test(
      'share the file and mend what the other left',
      async (context) => {
        const { skipped, figures } = await torture('users', { locker });
        if (skipped) context.skip(skipped);
        expect(figures).toHaveProperty('two users');
      },
      TIMEOUT,
    );
  },
);
