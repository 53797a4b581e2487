import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
let mounted = false;
afterEach(() => {
  if (mounted) execFileSync('umount', [path('small')]);
  mounted = false;
});

/** A file system of 64 KiB, where this user may mount one. */
function mountSmall(): boolean {
  mkdirSync(path('small'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', path('small')], { stdio: 'ignore' });
    mounted = true;
  } catch {
    mounted = false;
  }
  return mounted;
}

test('on a disk that is full the old content stands, and the next write succeeds once there is room', async (context) => {
  if (!mountSmall()) context.skip('this user may not mount a small file system');
  const fname = path('small/db.json');
  writeFileSync(fname, '{}');
  const db = new SPLockedJSONDB(fname);
  await db.add('first', 'x'.repeat(8000));
  writeFileSync(path('small/ballast'), Buffer.alloc(30_000));
  const before = readFileSync(fname, 'utf8');

  let failures = 0;
  for (let n = 0; n < 10; n++) {
    const stood = readFileSync(fname, 'utf8');
    await db.add(`more ${n}`, 'y'.repeat(4000)).catch((error: { code: string; message: string }) => {
      failures++;
      expect(error).toMatchObject({
        code: 'ENOSPC',
        message: expect.stringContaining('it still has the old content'),
      });
      expect(readFileSync(fname, 'utf8')).toBe(stood);
    });
  }
  expect(failures).toBeGreaterThan(0);
  expect(readFileSync(fname, 'utf8').length).toBeGreaterThanOrEqual(before.length);
  expect(readdirSync(path('small')).sort()).toEqual(['ballast', 'db.json', 'db.json.backup']);

  rmSync(path('small/ballast'));
  await db.add('last', true);
  expect(await db.get()).toMatchObject({ first: 'x'.repeat(8000), last: true });
});
