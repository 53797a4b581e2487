import { test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'a power cut at any system call of a write leaves the old content or the new on a real file system',
  async () => {
    await torture('images', { size: 64 });
  },
  TIMEOUT,
);
