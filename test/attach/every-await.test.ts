// Whatever fails, and in whatever order: one rejection for the caller, none that nobody handles, and the
// next call works.
import { rmSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { ApiError, type AttachDBApi, type AttachRequest } from '../../src/index.js';
import { attachment, useAttachDB, useNoUnhandled } from '../lib/attach-db.js';
import { systemError, tamperWithDisk } from '../store/tampered-disk.js';

const { make, fname, device, writeCache } = useAttachDB();
useNoUnhandled();
let mend: () => void = () => undefined;
afterEach(() => mend());

const CACHE: Record<string, AttachRequest> = {
  a: { volume: 'os--1', rights: 2 },
  b: { volume: 'os--2', rights: 2 },
  s: { volume: 'os--s', rights: 1, volsnap: true },
  stale: { volume: 'os--gone', rights: 1 },
};

/** Runs two calls of sync() at once; the call of the api or the disk with that number fails. */
async function run(failing: number): Promise<{ calls: number; results: PromiseSettledResult<unknown>[] }> {
  for (const name of ['.lock', '.backup']) rmSync(`${fname()}${name}`, { recursive: true, force: true });
  writeCache(CACHE);
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
  const api: AttachDBApi = {
    attachmentsList: () => list([attachment('os--1')]),
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
  // Without a fault nothing may depend on how busy the machine is.
  const db = make({ api, deviceTimeout: 0, lock: { timeout: failing < 0 ? 15_000 : 300 } });
  const results = await Promise.allSettled([db.sync('a', 'os--1'), db.sync('b'), db.get()]);
  mend();
  return { calls, results };
}

test('every await of sync() in turn', async () => {
  for (const name of ['os--1', 'os--2', 'os--s']) device(name);
  await run(-1);
  const { calls, results } = await run(-1);
  expect(results.every(({ status }) => status === 'fulfilled')).toBe(true);
  expect(calls).toBeGreaterThan(40);
  let rejected = 0;
  for (let failing = 0; failing < calls; failing++) {
    const outcome = await run(failing);
    for (const result of outcome.results) {
      if (result.status === 'fulfilled') continue;
      rejected++;
      const { code } = result.reason as { code: string };
      expect(['EIO', 'oops', 'ECOMPROMISED', 'ELOCKED'], `call ${failing}: ${result.reason}`).toContain(code);
    }
  }
  expect(rejected).toBeGreaterThan(10);
});
