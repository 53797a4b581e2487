import { test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'add() and remove() leave the old content or the new on a real file system, when the power is cut at any call',
  async () => {
    await torture('images', { size: 64 });
  },
  TIMEOUT,
);
