import { describe, expect, test } from 'vitest';
import { LOCKERS, TIMEOUT, torture } from '../lib/torture.js';

/** The umask of each. */
const UMASKS: Record<string, string> = { koffi: '077', flock: '022' };

describe.concurrent.each(LOCKERS)(
  'users of one group and processes in containers, locking through %s',
  (locker) => {
    test(
      'share the file and mend what the other left',
      async (context) => {
        const { skipped, figures } = await torture('users', { locker, umask: UMASKS[locker] ?? '' });
        if (skipped) context.skip(skipped);
        expect(figures).toHaveProperty('two users');
      },
      TIMEOUT,
    );
  },
);
