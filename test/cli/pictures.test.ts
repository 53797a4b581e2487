import { spawn } from 'node:child_process';
import { expect, test } from 'vitest';

test('the pictures of the README are what the program prints', async () => {
  const child = spawn(process.execPath, ['scripts/pictures.mjs', '--check'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect([code, stderr]).toEqual([0, '']);
});
