// Wherever a process is killed in attach() or detach(): detach() of another takes all of it back.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { FakeStorPool } from '../../../src/testing/index.js';
import { request, useAttachDB } from '../../lib/attach-db.js';

const { path, fname, make } = useAttachDB();
const PROGRAM = fileURLToPath(new URL('attach-and-die.mjs', import.meta.url));

test.each(['attach', 'detach'] as const)(
  'the process is killed at every step of %s()',
  async (what) => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
    const killedAt = async (step: number) => {
      if (what === 'detach') await db.attach('a', request('os--v'));
      const args = [PROGRAM, what, String(step), fname(), JSON.stringify(fake.config), path('dev')];
      return new Promise<{ signal: unknown; stdout: string }>((resolve) => {
        execFile(process.execPath, args, (error, stdout) => resolve({ signal: error?.signal, stdout }));
      });
    };
    let killed = 0;
    for (let step = 0; ; step++) {
      const { signal, stdout } = await killedAt(step);
      if (signal === 'SIGKILL') killed++;
      else expect(Number(stdout)).toBeGreaterThan(15);
      if (fake.attachments.length > 0) expect(await db.get()).toHaveProperty('a');
      await db.detach('a');
      expect(fake.attachments, `step ${step}`).toEqual([]);
      expect(await db.get()).toEqual({});
      expect(existsSync(`${fname()}.lock`)).toBe(false);
      if (signal !== 'SIGKILL') break;
    }
    expect(killed).toBeGreaterThan(15);
  },
  300_000,
);
