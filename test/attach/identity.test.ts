// A volume is the same volume under another name, and a snapshot of its name is another object.
import { describe, expect, test, vi } from 'vitest';
import { ApiError, type AttachDB, type Detached, SPLockedJSONDB } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { attachment, isOpen, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { path, log, fname, make, cache, writeCache, device } = useAttachDB();

/** A host that has attached os--old for the request a, and the volume was renamed to os--new since. */
interface Renamed extends AsyncDisposable {
  db: AttachDB;
  /** The names of what is attached. */
  attached(): string[];
  /** Another volume gets the name that this one had. */
  reuseName(): Promise<void>;
}

async function overHttp(): Promise<Renamed> {
  const fake = await FakeStorPool.start({ volumes: ['os--old'], deviceDir: path('dev') });
  const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
  await db.attach('a', request('os--old'));
  await db.api().volumeUpdate('os--old', { rename: 'os--new' });
  return {
    db,
    attached: () => fake.attachments.map(({ volume }) => volume),
    reuseName: async () => void (await db.api().volumeCreate({ name: 'os--old', size: 2 ** 30 })),
    [Symbol.asyncDispose]: () => fake.close(),
  };
}

async function withMock({ lists = false } = {}): Promise<Renamed> {
  const mock = workingApi([{ name: 'os--old', globalId: 'a.b.1' }]);
  const { volumeList, snapshotList, ...rest } = mock;
  const all = { ...rest, volumesList: async () => mock.objects, snapshotsList: async () => [] };
  const db = make({ api: lists ? all : { ...all, volumeList, snapshotList } });
  for (const name of ['os--old', 'os--new']) device(name);
  await db.attach('a', request('os--old'));
  mock.rename('os--old', 'os--new');
  return {
    db,
    attached: () => mock.attachments.map(({ volume }) => volume),
    reuseName: async () => void mock.objects.push({ name: 'os--old', globalId: 'a.b.2' }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/** A Python service writes the whole file, and a request of its own without a global ID. */
async function pythonAdds(id: string, volume: string): Promise<void> {
  await new SPLockedJSONDB(fname()).add(id, { volume, type: 'nova', id, rights: 2, volsnap: false });
}

describe.each([
  ['over HTTP', overHttp],
  ['with a mock', withMock],
  ['with a mock that has the lists alone', () => withMock({ lists: true })],
])('a volume that was renamed while it was attached, %s', (_style, rename) => {
  test('detach() detaches it', async () => {
    await using host = await rename();
    expect(await host.db.detach('a')).toMatchObject({ outcome: 'detached' });
    expect(host.attached()).toEqual([]);
    expect(cache()).toEqual({});
  });

  test('detach() leaves it to a request that knows it by its old name alone', async () => {
    await using host = await rename();
    await pythonAdds('py', 'os--old');
    expect(await host.db.detach('a')).toMatchObject({ outcome: 'shared', neededBy: ['py'] });
    expect(host.attached()).toEqual(['os--new']);
  });

  test('attach() for the same request finds it attached, and says where it is now', async () => {
    await using host = await rename();
    expect(await host.db.attach('a', request('os--old'))).toMatchObject({
      volume: 'os--new',
      alreadyAttached: true,
      device: path('dev/os--new'),
    });
    expect(await host.db.attach('a', request('os--new'))).toMatchObject({ alreadyAttached: true });
    await host.db.detach('a');
    expect(host.attached()).toEqual([]);
  });

  test('attach() for the same request attaches it again after the cluster has lost the attachment', async () => {
    await using host = await rename();
    await host.db.api().volumesReassign([{ volume: 'os--new', detach: [1] }]);
    expect(await host.db.attach('a', request('os--old'))).toMatchObject({ volume: 'os--new' });
    expect(host.attached()).toEqual(['os--new']);
  });

  test('sync() of another service does not take its request for stale, nor attach it twice', async () => {
    await using host = await rename();
    await pythonAdds('b', 'os--new');
    expect(await host.db.sync('b')).toMatchObject({ attached: [], staleRequests: [] });
    await host.db.api().volumesReassign([{ volume: 'os--new', detach: [1] }]);
    expect(await host.db.sync('b')).toMatchObject({ attached: [{ volume: 'os--new' }], staleRequests: [] });
    expect(Object.keys(cache())).toEqual(['a', 'b']);
  });

  test.each(['os--old', 'os--new'])('sync() detaches it as %s', async (name) => {
    await using host = await rename();
    expect(await host.db.sync('a', name)).toMatchObject({ detached: 'os--new', own: { state: 'detaching' } });
    expect(host.attached()).toEqual([]);
  });

  test('is shared by a second request under the new name, whoever made it', async () => {
    await using host = await rename();
    await pythonAdds('b', 'os--new');
    const shared = { outcome: 'shared', neededBy: ['b'] };
    expect(await host.db.detach('a')).toMatchObject(shared);
    expect(await host.db.attach('a', request('os--new'))).toMatchObject({ alreadyAttached: true });
    expect(await host.db.detach('b')).toMatchObject({ outcome: 'shared', neededBy: ['a'] });
    expect(await host.db.detach('a')).toMatchObject({ outcome: 'detached' });
    expect(host.attached()).toEqual([]);
  });

  test.each(['attach', 'python'] as const)(
    'is not the new volume of its old name (%s), whichever is detached first',
    async (who) => {
      for (const order of [
        ['a', 'b'],
        ['b', 'a'],
      ]) {
        writeCache({});
        await using host = await rename();
        await host.reuseName();
        if (who === 'python') await pythonAdds('b', 'os--old').then(() => host.db.sync('b'));
        else await host.db.attach('b', request('os--old'));
        expect(host.attached()).toEqual(['os--new', 'os--old']);
        await expect(host.db.attach('b', request('os--new'))).rejects.toMatchObject({ code: 'EBADREQUEST' });
        for (const id of order) {
          expect(await host.db.detach(id)).toMatchObject({ outcome: 'detached' });
          expect(host.attached()).toEqual(id === order[1] ? [] : [id === 'a' ? 'os--old' : 'os--new']);
        }
      }
    },
  );
});

test('attach() tells the global ID, and the path that has it', async () => {
  await using fake = await FakeStorPool.start({
    volumes: [{ name: 'os--v', globalId: 'a.b.cd' }],
    deviceDir: path('dev'),
    byIdDir: path('dev-byid'),
  });
  const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
  const before = Date.now();
  expect(await db.attach('a', request('os--v'))).toMatchObject({
    globalId: 'a.b.cd',
    deviceById: path('dev-byid/a.b.cd'),
  });
  const { since, global_id } = cache()['a'] ?? {};
  expect(global_id).toBe('a.b.cd');
  expect(new Date(since ?? '').toISOString()).toBe(since);
  expect(Date.parse(since ?? '')).toBeGreaterThanOrEqual(before);
});

test('a request whose global ID the cluster does not have is stale, also if another volume has its name', async () => {
  writeCache({ a: request('os--v', { global_id: 'a.b.1' }), b: request('os--v', { global_id: 'a.b.2' }) });
  const api = workingApi([{ name: 'os--v', globalId: 'a.b.2' }]);
  expect(await make({ api }).sync('b')).toMatchObject({
    staleRequests: ['a'],
    attached: [{ volume: 'os--v' }],
  });
});

test('attach() for a request whose volume is gone takes the new one of that name', async () => {
  writeCache({ a: request('os--v', { global_id: 'a.b.1' }) });
  const api = workingApi([{ name: 'os--v', globalId: 'a.b.2' }]);
  device('os--v');
  expect(await make({ api }).attach('a', request('os--v'))).toMatchObject({ globalId: 'a.b.2' });
  expect(api.attachments).toMatchObject([{ volume: 'os--v', globalId: 'a.b.2' }]);
  expect(cache()).toMatchObject({ a: { global_id: 'a.b.2' } });
});

test.each(['detach', 'sync'] as const)(
  '%s() detaches an open volume that gets another name between two attempts as what it is called then',
  async (call) => {
    const api = workingApi([{ name: 'os--v', globalId: 'a.b.1' }]);
    const db = make({ api, detachRetryDelay: 1 });
    device('os--v');
    await db.attach('a', request('os--v'));
    api.volumesReassign.mockImplementationOnce(async () => {
      api.rename('os--v', 'os--w');
      throw isOpen();
    });
    api.volumesReassign.mockRejectedValueOnce(
      new ApiError(404, { error: { name: 'objectDoesNotExist', descr: 'no such volume' } }),
    );
    await (call === 'detach' ? db.detach('a') : db.sync('a', 'os--v'));
    const names = api.volumesReassign.mock.calls.map(([[entry]]) => entry?.volume);
    expect(names).toEqual(['os--v', 'os--v', 'os--v', 'os--w']);
    expect(api.attachments).toEqual([]);
  },
);

describe('a snapshot and a volume of one name', () => {
  const both = { volume: request('os--v'), snapshot: request('os--v', { volsnap: true, rights: 1 }) };
  type Kind = keyof typeof both;

  test.each<[Kind, Kind]>([
    ['volume', 'snapshot'],
    ['snapshot', 'volume'],
  ])('the %s attached first: each detach() takes its own, in both orders', async (first, second) => {
    for (const order of [
      [first, second],
      [second, first],
    ]) {
      const api = workingApi(['os--v']);
      const db = make({ api });
      device('os--v');
      for (const kind of [first, second]) await db.attach(kind, both[kind]);
      expect(api.attachments).toHaveLength(2);
      const outcomes: Detached[] = [];
      for (const kind of order) outcomes.push(await db.detach(kind));
      expect(outcomes.map(({ outcome }) => outcome)).toEqual(['detached', 'detached']);
      expect(api.attachments).toEqual([]);
    }
  });

  test('of one request are not mistaken for one another by their global IDs', async () => {
    const api = workingApi([{ name: 'os--v', globalId: 'a.b.1' }]);
    api.snapshotList.mockResolvedValue([{ name: 'os--v', globalId: 'a.b.2' }]);
    const db = make({ api });
    device('os--v');
    await db.attach('a', both.snapshot);
    await expect(db.attach('a', both.volume)).rejects.toMatchObject({ code: 'EBADREQUEST' });
    expect(cache()).toMatchObject({ a: { volsnap: true } });
  });

  test('sync() attaches both, and detaches the one of its own request though the other is needed', async () => {
    writeCache(both);
    device('os--v');
    const api = workingApi(['os--v']);
    const db = make({ api });
    expect((await db.sync('volume')).attached).toMatchObject([
      { volume: 'os--v', snapshot: false, rights: 2 },
      { volume: 'os--v', snapshot: true, rights: 1 },
    ]);
    const report = await db.sync('snapshot', 'os--v');
    expect(report).toMatchObject({ detached: 'os--v', kept: null });
    expect(report.neededBy).toBeUndefined();
    expect(api.attachments).toEqual([attachment('os--v')]);
    expect(log.warn).not.toHaveBeenCalled();
  });
});

test('sync() for the request of a snapshot leaves the volume of that name alone', async () => {
  const api = workingApi(['os--v'], [attachment('os--v')]);
  writeCache({ rs: request('os--v', { rights: 1, volsnap: true }) });
  expect(await make({ api }).sync('rs', 'os--v')).toMatchObject({ detached: null, forced: false });
  expect(api.attachments.map(({ snapshot }) => snapshot)).not.toContain(true);
  expect(api.attachments).toHaveLength(1);
});

test('sync() forces nothing away that was attached again for its request while it waited', async () => {
  const api = workingApi(['os--v'], [attachment('os--v')]);
  device('os--v');
  writeCache({ a: request('os--v') });
  const reassign = api.volumesReassign.getMockImplementation() as typeof api.volumesReassign;
  let opens = 0;
  api.volumesReassign.mockImplementation(async (entries) => {
    if (entries[0]?.detach && !entries[0].force && ++opens) throw isOpen();
    return reassign(entries);
  });
  const db = make({ api, detachRetries: 3, detachRetryDelay: 50 });
  const syncing = db.sync('a', 'os--v');
  await vi.waitFor(() => expect(opens).toBe(1));
  expect(await make({ api }).attach('a', request('os--v'))).toMatchObject({ alreadyAttached: true });
  expect(await syncing).toMatchObject({ detached: null, kept: { volume: 'os--v', neededBy: ['a'] } });
  expect(api.attachments).toHaveLength(1);
});
