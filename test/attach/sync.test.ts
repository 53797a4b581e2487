import { mkdirSync, rmdirSync, rmSync, utimesSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type AttachDBOptions, SPLockedJSONDB } from '../../src/index.js';
import { attachment, isOpen, mockApi, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { path, log, fname, make, cache, writeCache, device } = useAttachDB();

test('whoever detaches does not wait for the device of what stays attached', async () => {
  const api = mockApi();
  api.attachmentsList.mockResolvedValue([attachment('os--v'), attachment('os--w')]);
  const db = make({ api, deviceTimeout: 60_000 });
  await db.add('a', request('os--v'));
  expect(await db.sync('a', 'os--w')).toMatchObject({ detached: 'os--w', attached: [] });
});

describe('plan()', () => {
  test('shows what sync() would do, and changes nothing', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([attachment('os--x'), attachment('os--k', { rights: 'ro' })]);
    api.volumeList.mockImplementation(async (name) => (name === 'os--gone' ? [] : [{ name }]));
    const db = make({ api });
    const before = {
      a: request('os--x'),
      b: request('os--new'),
      c: request('os--gone'),
      d: request('os--k', { rights: 1 }),
    };
    writeCache(before);
    expect(await db.plan('a', 'os--x')).toEqual({
      attach: [{ volume: 'os--new', snapshot: false, rights: 2, requests: ['b'] }],
      alreadyAttached: [{ volume: 'os--k', snapshot: false, rights: 1, requests: ['d'] }],
      staleRequests: ['c'],
      detach: { volume: 'os--x', snapshot: false, neededBy: [] },
      unknownRequest: false,
    });
    expect(api.volumesReassign).not.toHaveBeenCalled();
    expect(cache()).toEqual(before);
  });

  test('of an unknown request', async () => {
    const db = make({ api: mockApi() });
    expect(await db.plan('a', 'os--v')).toMatchObject({ unknownRequest: true, attach: [], detach: null });
    expect(log.warn).not.toHaveBeenCalled();
    await expect(db.plan('a')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
  });
});

describe('devices (difference 3)', () => {
  test('are waited for after the lock is released, all at once', async () => {
    const api = mockApi();
    const db = make({ api, deviceTimeout: 5000 });
    await db.add('a', request('os--1'));
    await db.add('b', request('os--2'));
    const other = new SPLockedJSONDB(fname());
    let lockedMeanwhile = false;
    setTimeout(async () => {
      await other.withLock(() => {
        lockedMeanwhile = true;
      });
      device('os--2');
      device('os--1');
    }, 30);
    const { attached } = await db.sync('a');
    expect(lockedMeanwhile).toBe(true);
    expect(attached).toEqual([
      { volume: 'os--1', snapshot: false, rights: 2, device: path('dev/os--1') },
      { volume: 'os--2', snapshot: false, rights: 2, device: path('dev/os--2') },
    ]);
    expect(log.warn).not.toHaveBeenCalled();
  });

  test('that never come are a warning', async () => {
    const db = make({ api: mockApi() });
    await db.add('a', request('os--1'));
    const { attached } = await db.sync('a');
    expect(attached).toEqual([{ volume: 'os--1', snapshot: false, rights: 2, device: null }]);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/os--1 is attached, but .*dev\/os--1 did not appear within 20 ms/),
    );
  });

  test('of the own request is waited for though another process attached it, and told to the log', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([attachment('os--1')]);
    writeCache({ a: request('os--1') });
    setTimeout(() => device('os--1'), 30);
    const there = { state: 'alreadyAttached', device: path('dev/os--1') };
    expect(await make({ api, deviceTimeout: 5000 }).sync('a')).toMatchObject({ own: there });
    expect(log.debug).not.toHaveBeenCalled();
    rmSync(path('dev/os--1'));
    expect(await make({ api }).sync('a')).toMatchObject({ own: { device: null } });
    expect(log.debug).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('os--1'));
    expect(log.warn).not.toHaveBeenCalled();
  });
});

describe('a volume that others need (difference 4)', () => {
  const shared = async (options: Partial<AttachDBOptions> = {}) => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([attachment('os--v')]);
    const db = make({ api, detachRetryDelay: 1, ...options });
    await db.add('a', request('os--v'));
    await db.add('b', request('os--v', { rights: 1 }));
    return { api, db };
  };

  test('is detached when it is idle', async () => {
    const { api, db } = await shared();
    expect(await db.sync('a', 'os--v')).toMatchObject({
      detached: 'os--v',
      forced: false,
      kept: null,
      neededBy: ['b'],
    });
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/os--v.*though b still need it/));
    expect(api.volumesReassign.mock.calls).toEqual([[[{ volume: 'os--v', detach: [1], force: false }]]]);
  });

  test('is never detached by force: it is kept, with a warning', async () => {
    const { api, db } = await shared({ detachRetries: 3 });
    api.volumesReassign.mockRejectedValue(isOpen());
    expect(await db.sync('a', 'os--v')).toEqual({
      attached: [],
      staleRequests: [],
      detached: null,
      forced: false,
      kept: { volume: 'os--v', neededBy: ['b'] },
      own: { volume: 'os--v', state: 'detaching', device: null },
    });
    expect(api.volumesReassign).toHaveBeenCalledTimes(4);
    for (const [[entry]] of api.volumesReassign.mock.calls) expect(entry?.force).toBe(false);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/os--v stays attached.*needed by b/),
    );
  });

  test('is detached by force with force: always, as the reference does', async () => {
    const { api, db } = await shared({ force: 'always', detachRetries: 1 });
    api.volumesReassign.mockRejectedValueOnce(isOpen());
    expect(await db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: true, kept: null });
    expect(api.volumesReassign.mock.lastCall).toEqual([[{ volume: 'os--v', detach: [1], force: true }]]);
  });
});

describe('a volume that stays open', () => {
  const open = async (options: Partial<AttachDBOptions> = {}) => {
    const api = workingApi([], [attachment('os--v')]);
    const refusal = isOpen();
    api.volumesReassign.mockImplementation(async ([entry]) => {
      if (!entry?.force) throw refusal;
    });
    const db = make({ api, detachRetryDelay: 1, detachRetries: 2, ...options });
    await db.add('a', request('os--v'));
    return { api, db, refusal };
  };

  test.each([undefined, 'never' as const])(
    "is EBUSY with force: 'never' (of the call: %s)",
    async (force) => {
      const { db, refusal } = await open({ force: force ? 'always' : 'never' });
      const error = await db.sync('a', 'os--v', { force }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ name: 'AttachError', code: 'EBUSY', cause: refusal });
      expect(cache()).toHaveProperty('a');
    },
  );

  test("is kept with force: 'never' when others need it", async () => {
    const { db } = await open({ force: 'never' });
    await db.add('b', request('os--v'));
    expect(await db.sync('a', 'os--v')).toMatchObject({ kept: { volume: 'os--v', neededBy: ['b'] } });
  });

  test('is looked up once, and whoever needs it is looked up in each attempt', async () => {
    const { api, db } = await open();
    api.volumesReassign.mockImplementationOnce(async () => {
      void make({ api: mockApi() }).add('b', request('os--v'));
      throw isOpen();
    });
    expect(await db.sync('a', 'os--v')).toMatchObject({ kept: { volume: 'os--v', neededBy: ['b'] } });
    expect(api.attachmentsList).toHaveBeenCalledOnce();
    expect(api.volumesReassign).toHaveBeenCalledTimes(3);
  });

  test('is detached in the end, also if the request is stale and left the cache in the first attempt', async () => {
    const { db } = await open();
    await db.add('a', request('os--gone'));
    expect(await db.sync('a', 'os--v')).toMatchObject({
      staleRequests: ['a'],
      detached: 'os--v',
      forced: true,
      own: { volume: 'os--gone', state: 'stale' },
    });
  });
});

describe('errors of the cluster', () => {
  test('busy even by force is raised', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: true, client: 1, rights: 'ro' }]);
    api.volumesReassign.mockRejectedValue(isOpen());
    const db = make({ api, detachRetries: 2, detachRetryDelay: 1 });
    await db.add('a', request('os--v', { volsnap: true, rights: 1 }));
    await expect(db.sync('a', 'os--v')).rejects.toMatchObject({ code: 'busy' });
    expect(api.volumesReassign.mock.calls.map(([[entry]]) => entry)).toEqual([
      { snapshot: 'os--v', detach: [1], force: false },
      { snapshot: 'os--v', detach: [1], force: false },
      { snapshot: 'os--v', detach: [1], force: true },
    ]);
  });
});

test('sync() that loses its lock changes nothing more in the cluster', async () => {
  const api = mockApi();
  const db = make({ api, lock: { kernelLock: 'off' } });
  await db.add('a', request('os--1'));
  await db.add('b', request('os--2'));
  api.volumesReassign.mockImplementationOnce(async () => {
    rmdirSync(`${fname()}.lock`);
    mkdirSync(`${fname()}.lock`);
    // Nobody takes it over within the millisecond in which it was made, but for this test.
    const later = new Date(Date.now() + 1000);
    utimesSync(`${fname()}.lock`, later, later);
  });
  await expect(db.sync('a')).rejects.toMatchObject({ code: 'ECOMPROMISED' });
  expect(api.volumesReassign).toHaveBeenCalledOnce();
});

test('a request that is not cached is told of before anything is made of the others', async () => {
  writeCache({ odd: { volume: 'os--1', rights: 3 as never } });
  const db = make({ api: mockApi() });
  expect(await db.sync('nobody', 'os--1')).toMatchObject({ detached: null });
  await expect(db.sync('nobody')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
  await expect(db.sync('odd')).rejects.toMatchObject({ code: 'EBADREQUEST' });
});

test("a volume that is no more takes all requests for it out of the cache, but the call's own that gives it up", async () => {
  writeCache({ a: request('os--gone'), b: request('os--gone'), c: request('os--1') });
  const api = mockApi();
  api.volumeList.mockImplementation(async (name: string) => (name === 'os--gone' ? [] : [{ name }]));
  expect(await make({ api }).sync('a', 'os--gone')).toMatchObject({
    staleRequests: ['b'],
    own: { volume: 'os--gone', state: 'detaching', device: null },
  });
  expect(Object.keys(cache())).toEqual(['a', 'c']);
});
