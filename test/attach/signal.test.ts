import { describe, expect, test, vi } from 'vitest';
import { FakeStorPool } from '../../src/testing/index.js';
import {
  attachment,
  isOpen,
  mockApi,
  request,
  useAttachDB,
  useNoUnhandled,
  workingApi,
} from '../lib/attach-db.js';

const { make, cache, writeCache, path, log } = useAttachDB();

useNoUnhandled();

const stop = () => new Error('shutting down');
/** A signal, and what aborts it. */
function stoppable() {
  const controller = new AbortController();
  const reason = stop();
  return { signal: controller.signal, reason, abort: () => controller.abort(reason) };
}

describe('a signal', () => {
  test('ends the wait for the lock', async () => {
    const db = make({ api: mockApi() });
    await db.withLock(async () => {
      const other = make({ api: mockApi() });
      const signal = AbortSignal.timeout(20);
      const calls = [
        other.sync('a', null, { signal }),
        other.attach('a', request('os--v'), { signal }),
        other.detach('a', { signal }),
        other.plan('a', null, { signal }),
      ];
      for (const call of await Promise.allSettled(calls)) {
        expect(call).toMatchObject({ status: 'rejected', reason: { name: 'TimeoutError' } });
      }
    });
  });

  test('goes to every call of the api, and ends the pause between the attempts; its cause says why', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([attachment('os--v')]);
    const { signal, reason, abort } = stoppable();
    const db = make({ api, detachRetryDelay: 60_000 });
    await db.add('a', request('os--v'));
    await db.add('b', request('os--w'));
    const refusal = isOpen();
    api.volumesReassign.mockImplementation(async ([entry]) => {
      if (entry?.detach) {
        // Later than the pause begins, however busy the machine is.
        setTimeout(abort, 300);
        throw refusal;
      }
    });
    await expect(db.sync('a', 'os--v', { signal })).rejects.toBe(reason);
    expect(reason.cause).toMatchObject({ code: 'EBUSY', cause: refusal });
    expect(api.attachmentsList).toHaveBeenCalledWith({ signal });
    expect(api.volumeList).toHaveBeenCalledWith('os--w', { signal });
    expect(api.volumesReassign).toHaveBeenCalledWith([{ volume: 'os--w', rw: [1] }], { signal });
  });

  test('ends the wait for devices; detach() takes back what was attached', async () => {
    const api = workingApi(['os--v']);
    const db = make({ api, deviceTimeout: 60_000 });
    const { signal, reason, abort } = stoppable();
    const reassign = api.volumesReassign.getMockImplementation() as typeof api.volumesReassign;
    api.volumesReassign.mockImplementationOnce((entries) => {
      setTimeout(abort, 50);
      return reassign(entries);
    });
    await expect(db.attach('a', request('os--v'), { signal })).rejects.toBe(reason);
    expect(await db.detach('a')).toMatchObject({ outcome: 'detached' });
    expect(api.attachments).toEqual([]);
  });

  test.each([
    ['never answers', () => new Promise<never>(() => undefined)],
    ['answers late', () => new Promise<never[]>((resolve) => setTimeout(() => resolve([]), 40))],
    ['fails late', () => new Promise<never>((_, reject) => setTimeout(() => reject(new Error('late')), 40))],
  ])('ends a call at once through an api that does not listen to it and %s', async (_how, answer) => {
    for (const call of ['attachmentsList', 'volumeList', 'volumesReassign'] as const) {
      const api = workingApi(['os--v']);
      const { signal, reason, abort } = stoppable();
      api[call].mockImplementation(() => {
        setTimeout(abort, 1);
        return answer();
      });
      // With a change that is not answered, the lock is kept until then, or until the time is up.
      const db = make({ api, apiTimeout: 500 });
      await expect(db.attach('a', request('os--v'), { signal })).rejects.toBe(reason);
      // The lock is free again.
      await make({ api: mockApi() }).remove('a');
      expect(cache()).toEqual({});
    }
    await new Promise((resolve) => setTimeout(resolve, 60));
  });
});

describe('a signal that is aborted while the service has a change', () => {
  /** The service acts late, also when the caller has gone. */
  async function slowService() {
    const fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
    const api = db.api();
    const reassign = api.volumesReassign.bind(api);
    const abortWhileItIsCarriedOut = () => {
      const { signal, reason, abort } = stoppable();
      vi.spyOn(api, 'volumesReassign').mockImplementationOnce(
        (entries, options) =>
          new Promise((resolve, reject) => {
            options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
            setTimeout(abort, 1);
            setTimeout(() => reassign(entries).then(resolve, reject), 100);
          }),
      );
      return { signal, reason };
    };
    return { fake, db, abortWhileItIsCarriedOut };
  }

  test('attach(): detach() takes back what comes of it', async () => {
    const { fake, db, abortWhileItIsCarriedOut } = await slowService();
    const { signal, reason } = abortWhileItIsCarriedOut();
    await expect(db.attach('a', request('os--v'), { signal })).rejects.toBe(reason);
    expect(fake.attachments).toEqual([]);
    expect(await db.detach('a')).toMatchObject({ outcome: 'detached' });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(fake.attachments).toEqual([]);
    expect(cache()).toEqual({});
    await fake.close();
  });

  test('detach(): what another attaches afterwards stays attached', async () => {
    const { fake, db, abortWhileItIsCarriedOut } = await slowService();
    await db.attach('a', request('os--v'));
    const { signal, reason } = abortWhileItIsCarriedOut();
    await expect(db.detach('a', { signal })).rejects.toBe(reason);
    expect(await make({ overrideConfig: fake.config }).attach('b', request('os--v'))).toMatchObject({
      alreadyAttached: false,
    });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(fake.attachments).toMatchObject([{ volume: 'os--v' }]);
    expect(Object.keys(cache())).toEqual(['b']);
    await fake.close();
  });

  test('sync(): it changes nothing more', async () => {
    const { fake, db, abortWhileItIsCarriedOut } = await slowService();
    await db.attach('a', request('os--v'));
    await db.detach('a');
    writeCache({ a: request('os--v'), b: request('os--w') });
    const { signal, reason } = abortWhileItIsCarriedOut();
    vi.spyOn(db.api(), 'volumeList').mockImplementation(async (name) => [{ name }] as never);
    await expect(db.sync('a', null, { signal })).rejects.toBe(reason);
    await db.get();
    expect(fake.attachments).toMatchObject([{ volume: 'os--v' }]);
    expect(db.api().volumesReassign).toHaveBeenCalledTimes(1);
    await fake.close();
  });
});

describe('an API that does not answer for the moment', () => {
  test('is asked again without the lock, with one warning that says what is being waited for', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    fake.failNext('attachmentsList', 'reset');
    const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
    const start = performance.now();
    const attaching = db.attach('a', request('os--v'));
    await expect.poll(() => log.warn.mock.calls.length, { interval: 2 }).toBe(1);
    await make({ lock: { timeout: 900 } }).add('b', request('os--w'));
    expect(performance.now() - start).toBeLessThan(900);
    expect(await attaching).toMatchObject({ volume: 'os--v', alreadyAttached: false });
    expect(performance.now() - start).toBeGreaterThan(999);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(
        /^attach\(a\) is waiting for the API .*GET .*AttachmentsList.*ECONNRESET|^attach\(a\) is waiting for the API/,
      ),
    );
    expect(Object.keys(cache())).toEqual(['b', 'a']);
  });
});
