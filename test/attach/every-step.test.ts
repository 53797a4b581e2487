// Whatever step of attach() or detach() fails: detach() takes all of it back.
import { expect, test } from 'vitest';
import { ApiError } from '../../src/index.js';
import { request, useAttachDB, workingApi } from '../lib/attach-db.js';
import { systemError, tamperWithDisk } from '../store/tampered-disk.js';

const { make, cache, device, writeCache } = useAttachDB();

/** Runs attach() or detach(); the step with that number fails: a call of the API before or after it acts, or of the disk. */
async function run(what: 'attach' | 'detach', failing: number, acts: boolean) {
  const api = workingApi(['os--v']);
  const db = make({ api, lock: { timeout: failing < 0 ? 15_000 : 500 } });
  if (what === 'attach') writeCache({});
  else await make({ api }).attach('a', request('os--v'));
  let steps = 0;
  const count = () => steps++ === failing;
  for (const call of ['attachmentsList', 'volumeList', 'volumesReassign'] as const) {
    const real = api[call].getMockImplementation() as (...args: unknown[]) => Promise<unknown>;
    api[call].mockImplementation((async (...args: unknown[]) => {
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
  const outcome = await (what === 'attach' ? db.attach('a', request('os--v')) : db.detach('a')).then(
    () => undefined,
    (error: Error) => error,
  );
  mend();
  for (const call of ['attachmentsList', 'volumeList', 'volumesReassign'] as const) api[call].mockClear();
  return { api, steps, outcome };
}

test.each(['attach', 'detach'] as const)('every step of %s() fails in turn', async (what) => {
  device('os--v');
  let rejected = 0;
  for (const acts of [false, true]) {
    const { steps } = await run(what, -1, acts);
    expect(steps).toBeGreaterThan(acts ? 1 : 15);
    for (let failing = 0; failing < steps; failing++) {
      const { api, outcome } = await run(what, failing, acts);
      if (outcome !== undefined) rejected++;
      // After an error the request is cached if its volume may be attached.
      if (api.attachments.length > 0)
        expect(Object.keys(cache()), `step ${failing}: ${outcome}`).toEqual(['a']);
      const rest = workingApi(['os--v'], api.attachments);
      await make({ api: rest }).detach('a');
      expect(rest.attachments, `step ${failing}: ${outcome}`).toEqual([]);
      expect(cache()).toEqual({});
    }
  }
  expect(rejected).toBeGreaterThan(10);
});
