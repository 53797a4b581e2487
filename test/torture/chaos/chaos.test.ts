import { test } from 'vitest';
import { TIMEOUT, torture } from '../lib/torture.js';

test(
  'no acknowledged change is lost, whoever is killed',
  async () => {
    await torture('chaos', { seconds: 15, round: 5 });
  },
  TIMEOUT,
);
