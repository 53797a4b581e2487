// Whatever step of attach(), detach() or sync() fails: detach() takes all of it back.
import { expect, test } from 'vitest';
import { ApiError, type AttachDB } from '../../src/index.js';
import { request, useAttachDB, workingApi } from '../lib/attach-db.js';
import { systemError, tamperWithDisk } from '../store/tampered-disk.js';

const { make, cache, device, writeCache } = useAttachDB();

const CALLS = {
  'attach()': (db: AttachDB) => db.attach('a', request('os--v')),
  'detach()': (db: AttachDB) => db.detach('a'),
  'sync() that attaches': (db: AttachDB) => db.sync('a'),
  'sync() that detaches': (db: AttachDB) => db.sync('a', 'os--v'),
};
type Call = keyof typeof CALLS;

/** Makes a call; the step with that number fails: a call of the API before or after it acts, or of the disk. */
async function run(call: Call, failing: number, acts: boolean) {
  const api = workingApi(['os--v']);
  const db = make({ api, lock: { timeout: failing < 0 ? 15_000 : 500 } });
  writeCache(call.startsWith('sync') ? { a: request('os--v') } : {});
  if (call.includes('detach')) await make({ api }).attach('a', request('os--v'));
  let steps = 0;
  const count = () => steps++ === failing;
  const asked = ['attachmentsList', 'volumeList', 'volumesReassign'] as const;
  for (const name of asked) {
    const real = api[name].getMockImplementation() as (...args: unknown[]) => Promise<unknown>;
    api[name].mockImplementation((async (...args: unknown[]) => {
      const fails = count();
      const result = fails && !acts ? undefined : await real(...args);
      if (fails) throw new ApiError(500, { error: { name: 'oops', descr: 'a fault of the test' } });
      return result;
    }) as never);
  }
  const mend = tamperWithDisk(() => {
    // Whether a call of the disk fails before or after it has acted makes one test, not two.
    if (!acts && count()) throw systemError('EIO');
    return undefined;
  });
  const outcome = await CALLS[call](db).then(
    () => undefined,
    (error: Error) => error,
  );
  mend();
  return { api, steps, outcome };
}

test.each(Object.keys(CALLS) as Call[])('every step of %s fails in turn', async (call) => {
  device('os--v');
  let rejected = 0;
  for (const acts of [false, true]) {
    const { steps } = await run(call, -1, acts);
    expect(steps).toBeGreaterThan(acts ? 1 : 10);
    for (let failing = 0; failing < steps; failing++) {
      const { api, outcome } = await run(call, failing, acts);
      if (outcome !== undefined) rejected++;
      // A request that was acknowledged stays, and nothing is attached without one.
      if (api.attachments.length > 0 || call.startsWith('sync'))
        expect(Object.keys(cache()), `step ${failing}: ${outcome}`).toEqual(['a']);
      const rest = workingApi(['os--v'], api.attachments);
      await make({ api: rest }).detach('a');
      expect(rest.attachments, `step ${failing}: ${outcome}`).toEqual([]);
      expect(cache()).toEqual({});
    }
  }
  expect(rejected).toBeGreaterThan(5);
});
