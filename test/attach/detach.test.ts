// detach(): the volume of a cached request from this host, and the request out of the cache.
import { describe, expect, test, vi } from 'vitest';
import { ApiError } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { attachment, isOpen, mockApi, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { log, make, cache, writeCache, device } = useAttachDB();

const detached = { volume: 'os--v', outcome: 'detached', neededBy: [] };

test('detaches the volume and removes the request', async () => {
  writeCache({ a: request('os--v'), b: request('os--w') });
  const api = workingApi([], [attachment('os--v'), attachment('os--w')]);
  expect(await make({ api }).detach('a')).toEqual(detached);
  expect(api.volumesReassign.mock.calls).toEqual([[[{ volume: 'os--v', detach: [1], force: false }]]]);
  expect(cache()).toEqual({ b: request('os--w') });
  expect(log.warn).not.toHaveBeenCalled();
});

test.each([false, true])(
  'never the object of the other kind with that name (volsnap: %s)',
  async (volsnap) => {
    writeCache({ a: request('os--v', { volsnap, rights: 1 }) });
    const api = workingApi([], [attachment('os--v', { snapshot: !volsnap })]);
    expect(await make({ api }).detach('a')).toMatchObject({ outcome: 'notAttached' });
    expect(api.volumesReassign).not.toHaveBeenCalled();
    expect(cache()).toEqual({});
  },
);

test.each([false, true])(
  'of a volume and a snapshot of one name, that of the request (volsnap: %s)',
  async (volsnap) => {
    const both = [attachment('os--v'), attachment('os--v', { snapshot: true, rights: 'ro' })];
    for (const attachments of [both, both.toReversed()]) {
      const api = mockApi();
      api.attachmentsList.mockResolvedValue(attachments);
      const entry = { [volsnap ? 'snapshot' : 'volume']: 'os--v', detach: [1], force: false };
      writeCache({ a: request('os--v', { volsnap, rights: 1 }) });
      await make({ api }).sync('a', 'os--v');
      await make({ api }).detach('a');
      expect(api.volumesReassign.mock.calls).toEqual([[[entry]], [[entry]]]);
    }
  },
);

test('a logger that fails does not keep the request in the cache', async () => {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  writeCache({ a: request('os--v') });
  const api = workingApi([], [attachment('os--v')]);
  api.volumesReassign.mockRejectedValueOnce(isOpen());
  log.warn.mockImplementation(() => {
    throw new Error('the logger is closed');
  });
  const db = make({ api, detachRetries: 1, detachRetryDelay: 1 });
  expect(await db.detach('a')).toMatchObject({ outcome: 'forced' });
  expect(cache()).toEqual({});
  expect(await db.detach('a')).toMatchObject({ outcome: 'unknownRequest' });
  expect(emitWarning.mock.calls.map(([message]) => message)).toEqual([
    expect.stringMatching(/^os--v is detached by force .*the logger is closed/),
    expect.stringMatching(/^Request a is not in .*the logger is closed/),
  ]);
  emitWarning.mockRestore();
});

test('also where the list has the client as digits', async () => {
  writeCache({ a: request('os--v') });
  const api = workingApi([], [attachment('os--v', { client: '1' as unknown as number })]);
  expect(await make({ api }).detach('a')).toEqual(detached);
});

test('takes two round trips', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  writeCache({ a: request('os--v') });
  await make({ overrideConfig: fake.config }).detach('a');
  expect(fake.requests.map((one) => one.path)).toEqual([
    '/ctrl/1.0/AttachmentsList',
    '/ctrl/1.0/VolumesReassign',
  ]);
});

test('the request leaves the cache in the same hold', async () => {
  writeCache({ a: request('os--v') });
  const api = workingApi(['os--v'], [attachment('os--v')]);
  const [db, other] = [make({ api }), make({ api })];
  let synced: Promise<unknown> = Promise.resolve();
  api.volumesReassign.mockImplementationOnce(async () => {
    api.attachments.pop();
    // Another service that comes right now must not find the request, and attach its volume again.
    synced = other.sync('a').catch((error: { code: string }) => error.code);
  });
  await db.detach('a');
  expect(await synced).toBe('EUNKNOWNREQUEST');
  expect(api.attachments).toEqual([]);
});

describe('a volume that other requests need', () => {
  test('stays attached, without a question to the cluster', async () => {
    writeCache({ a: request('os--v'), b: request('os--v', { rights: 1 }), c: request('os--w') });
    const api = mockApi();
    expect(await make({ api }).detach('a')).toEqual({ volume: 'os--v', outcome: 'shared', neededBy: ['b'] });
    expect(api.attachmentsList).not.toHaveBeenCalled();
    expect(Object.keys(cache())).toEqual(['b', 'c']);
  });

  test("also with force: 'always'", async () => {
    writeCache({ a: request('os--v'), b: request('os--v') });
    const db = make({ api: mockApi(), force: 'always' });
    expect(await db.detach('a')).toMatchObject({ outcome: 'shared' });
  });

  test('and whose entries make no sense otherwise', async () => {
    writeCache({ a: request('os--v'), b: { volume: 'os--v', rights: 9 }, c: null } as never);
    expect(await make({ api: mockApi() }).detach('a')).toMatchObject({ outcome: 'shared', neededBy: ['b'] });
  });

  test('is detached with the last of them', async () => {
    writeCache({ a: request('os--v'), b: request('os--v') });
    const api = workingApi([], [attachment('os--v')]);
    const db = make({ api });
    expect(await Promise.all([db.detach('a'), db.detach('b')])).toMatchObject([
      { outcome: 'shared', neededBy: ['b'] },
      detached,
    ]);
  });
});

describe('what is not attached', () => {
  test.each([
    ['at all', []],
    ['to this host', [attachment('os--v', { client: 2 })]],
  ])('%s', async (_where, attachments) => {
    writeCache({ a: request('os--v') });
    const api = workingApi([], [...attachments]);
    expect(await make({ api }).detach('a')).toEqual({
      volume: 'os--v',
      outcome: 'notAttached',
      neededBy: [],
    });
    expect(api.volumesReassign).not.toHaveBeenCalled();
    expect(cache()).toEqual({});
  });

  test('by us, because its name is outside of the prefix: it is left alone, with a warning', async () => {
    writeCache({ a: request('vm-1') });
    const api = workingApi([], [attachment('vm-1')]);
    expect(await make({ api }).detach('a')).toMatchObject({ outcome: 'notAttached' });
    expect(api.attachments).toHaveLength(1);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('vm-1 is left alone'));
  });
});

test('an unknown request is no error: a driver may disconnect twice', async () => {
  const api = mockApi();
  const db = make({ api });
  for (const reqId of ['nobody', '__proto__']) {
    expect(await db.detach(reqId)).toEqual({ volume: null, outcome: 'unknownRequest', neededBy: [] });
  }
  expect(log.warn).toHaveBeenCalledTimes(2);
  expect(log.warn).toHaveBeenCalledWith(
    expect.stringMatching(/Request nobody is not in .*openstack-attach\.json/),
  );
  expect(api.attachmentsList).not.toHaveBeenCalled();
});

test('a cached request that makes no sense is an error that names it', async () => {
  writeCache({ a: { rights: 2 } } as never);
  await expect(make({ api: mockApi() }).detach('a')).rejects.toMatchObject({ code: 'EBADREQUEST' });
  expect(cache()).toHaveProperty('a');
});

describe('a volume that is open', () => {
  const open = (options: Parameters<typeof make>[0] = {}) => {
    writeCache({ a: request('os--v') });
    const api = workingApi(['os--v'], [attachment('os--v')]);
    return { api, db: make({ api, detachRetries: 3, detachRetryDelay: 1, ...options }) };
  };
  const forces = ({ api }: ReturnType<typeof open>) =>
    api.volumesReassign.mock.calls.map(([[entry]]) => entry?.force);

  test('is tried again', async () => {
    const tried = open();
    tried.api.volumesReassign.mockRejectedValueOnce(isOpen()).mockRejectedValueOnce(isOpen('invalidParam'));
    expect(await tried.db.detach('a')).toEqual(detached);
    expect(forces(tried)).toEqual([false, false, false]);
    expect(cache()).toEqual({});
  });

  test('is detached by force in the end, with a warning', async () => {
    const tried = open();
    for (let nr = 0; nr < 3; nr++) tried.api.volumesReassign.mockRejectedValueOnce(isOpen());
    expect(await tried.db.detach('a')).toEqual({ ...detached, outcome: 'forced' });
    expect(forces(tried)).toEqual([false, false, false, true]);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/os--v is detached by force.*request a/),
    );
    expect(cache()).toEqual({});
  });

  test('and busy even by force, is an error; the request is still cached', async () => {
    const tried = open({ detachRetries: 1 });
    tried.api.volumesReassign.mockRejectedValue(isOpen());
    await expect(tried.db.detach('a')).rejects.toMatchObject({ code: 'busy' });
    expect(forces(tried)).toEqual([false, true]);
    expect(cache()).toHaveProperty('a');
  });

  test('leaves the lock to others between the attempts', async () => {
    const tried = open({ detachRetries: 10, detachRetryDelay: 40 });
    tried.api.volumesReassign.mockRejectedValueOnce(isOpen());
    const other = make({ api: mockApi() });
    const ended: string[] = [];
    const detaching = tried.db.detach('a').then(() => ended.push('detached'));
    await expect.poll(() => tried.api.volumesReassign.mock.calls.length, { interval: 1 }).toBe(1);
    await other.add('b', request('os--w')).then(() => ended.push('added'));
    await detaching;
    expect(ended).toEqual(['added', 'detached']);
  });

  test.each([undefined, 'never' as const])(
    "with force: 'never' (of the call: %s) is given up as EBUSY, and still attached and cached",
    async (force) => {
      const tried = open({ force: force ? 'always' : 'never' });
      const refusal = isOpen();
      tried.api.volumesReassign.mockRejectedValue(refusal);
      const error = await tried.db.detach('a', { force }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({
        name: 'AttachError',
        code: 'EBUSY',
        message: expect.stringMatching(/^os--v is open, so it stays attached, and request a cached/),
      });
      expect((error as Error).cause).toBe(refusal);
      expect(forces(tried)).toEqual([false, false, false, false]);
      expect(cache()).toHaveProperty('a');
      expect(tried.api.attachments).toHaveLength(1);
    },
  );

  test('is looked up once: after "open" the next attempt reads the cache and sends', async () => {
    const tried = open();
    tried.api.volumesReassign.mockRejectedValueOnce(isOpen()).mockRejectedValueOnce(isOpen());
    await tried.db.detach('a');
    expect(tried.api.attachmentsList).toHaveBeenCalledOnce();
  });

  test('and that somebody else detaches meanwhile is looked up again, and not attached', async () => {
    const tried = open();
    tried.api.volumesReassign.mockRejectedValueOnce(isOpen()).mockImplementationOnce(async () => {
      tried.api.attachments.pop();
      throw new ApiError(404, { error: { name: 'objectDoesNotExist', descr: 'no such volume' } });
    });
    expect(await tried.db.detach('a')).toEqual({ ...detached, outcome: 'notAttached' });
    expect(cache()).toEqual({});
  });

  test('and attached again for the same request meanwhile is renewed: both stay as they are', async () => {
    const tried = open({ detachRetries: 1 });
    device('os--v');
    await tried.db.attach('a', request('os--v'));
    tried.api.volumesReassign.mockImplementationOnce(async () => {
      void make({ api: tried.api }).attach('a', request('os--v'));
      throw isOpen();
    });
    expect(await tried.db.detach('a')).toEqual({ ...detached, outcome: 'renewed' });
    expect(forces(tried)).toEqual([false]);
    expect(tried.api.attachments).toHaveLength(1);
    expect(cache()).toHaveProperty('a');
    expect(await tried.db.detach('a')).toMatchObject({ outcome: 'detached' });
  });

  test('and that somebody else asks for meanwhile, stays attached', async () => {
    const tried = open({ detachRetries: 1 });
    tried.api.volumesReassign.mockImplementationOnce(async () => {
      void make({ api: mockApi() }).add('b', request('os--v'));
      throw isOpen();
    });
    const policy = await tried.db.detach('a');
    expect(policy).toEqual({ volume: 'os--v', outcome: 'shared', neededBy: ['b'] });
    expect(forces(tried)).toEqual([false]);
    expect(cache()).toEqual({ b: expect.objectContaining({ volume: 'os--v' }) });
  });

  test('another error is raised after retries as well, and the request is still cached', async () => {
    const tried = open();
    tried.api.volumesReassign
      .mockRejectedValueOnce(isOpen())
      .mockRejectedValueOnce(new ApiError(403, { error: { name: 'notAuthorized', descr: 'no' } }));
    await expect(tried.db.detach('a')).rejects.toMatchObject({ code: 'notAuthorized' });
    expect(cache()).toHaveProperty('a');
  });

  test('inside of withLock() the pauses are under that lock', async () => {
    const tried = open({ detachRetryDelay: 30 });
    tried.api.volumesReassign.mockRejectedValueOnce(isOpen());
    const ended: string[] = [];
    let added: Promise<unknown> = Promise.resolve();
    await tried.db.withLock(async () => {
      added = make({ api: mockApi() })
        .add('b', request('os--w'))
        .then(() => ended.push('added'));
      await tried.db.detach('a').then(() => ended.push('detached'));
    });
    await added;
    expect(ended).toEqual(['detached', 'added']);
  });
});
