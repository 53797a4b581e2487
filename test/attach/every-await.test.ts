// Whatever fails, and in whatever order: one rejection for the caller, none that nobody handles, and the
// next call works.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ApiError, AttachDB, type AttachDBApi, type AttachRequest } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';
import { systemError, tamperWithDisk } from '../store/tampered-disk.js';

const path = useTempDir();
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
let mend: () => void = () => undefined;
beforeEach(() => {
  unhandled.splice(0);
  process.on('unhandledRejection', onUnhandled);
  mkdirSync(path('dev'));
  for (const name of ['os--1', 'os--2', 'os--s']) symlinkSync('/dev/null', path(`dev/${name}`));
});
afterEach(() => {
  mend();
  process.off('unhandledRejection', onUnhandled);
});

const CACHE: Record<string, AttachRequest> = {
  a: { volume: 'os--1', rights: 2 },
  b: { volume: 'os--2', rights: 2 },
  s: { volume: 'os--s', rights: 1, volsnap: true },
  stale: { volume: 'os--gone', rights: 1 },
};

/** Runs two calls of sync() at once; the call of the api or the disk with that number fails. */
async function run(failing: number): Promise<{ calls: number; results: PromiseSettledResult<unknown>[] }> {
  for (const name of ['.lock', '.holder', '.backup', '.backup.tmp', '.torn']) {
    rmSync(path(`cache.json${name}`), { recursive: true, force: true });
  }
  writeFileSync(path('cache.json'), JSON.stringify(CACHE));
  let calls = 0;
  const count = (error: Error) => {
    if (calls++ === failing) throw error;
  };
  const refusal = new ApiError(500, { error: { name: 'oops', descr: 'a fault of the test' } });
  const one = async (name: string) => {
    // Later than its neighbours, so that failures come while others are under way.
    await new Promise(setImmediate);
    count(refusal);
    return name === 'os--gone' ? [] : [{ name }];
  };
  const list = async <T>(items: T[]) => {
    count(refusal);
    return items;
  };
  const attachment = { volume: 'os--1', snapshot: false, client: 1, rights: 'rw' as const };
  const api: AttachDBApi = {
    attachmentsList: () => list([attachment]),
    volumesList: () => list([]),
    snapshotsList: () => list([]),
    volumeList: one,
    snapshotList: one,
    volumesReassign: () => list([]),
  };
  mend = tamperWithDisk(() => {
    count(systemError('EIO'));
    return undefined;
  });
  const db = new AttachDB({
    log: { warn: () => undefined },
    fname: path('cache.json'),
    overrideConfig: { SP_OURID: '1' },
    api,
    deviceDir: path('dev'),
    deviceTimeout: 0,
    // Without a fault nothing may depend on how busy the machine is.
    lock: { timeout: failing < 0 ? 15_000 : 300 },
  });
  const results = await Promise.allSettled([db.sync('a', 'os--1'), db.sync('b'), db.get()]);
  mend();
  await new Promise((resolve) => setTimeout(resolve, 0));
  return { calls, results };
}

test('every await of sync() in turn', async () => {
  await run(-1);
  const { calls, results } = await run(-1);
  expect(results.every(({ status }) => status === 'fulfilled')).toBe(true);
  expect(calls).toBeGreaterThan(40);
  let rejected = 0;
  for (let failing = 0; failing < calls; failing++) {
    const outcome = await run(failing);
    expect(unhandled, `call ${failing}`).toEqual([]);
    for (const result of outcome.results) {
      if (result.status === 'fulfilled') continue;
      rejected++;
      const { code } = result.reason as { code: string };
      expect(['EIO', 'oops', 'ECOMPROMISED', 'ELOCKED'], `call ${failing}: ${result.reason}`).toContain(code);
    }
  }
  expect(rejected).toBeGreaterThan(10);
});
