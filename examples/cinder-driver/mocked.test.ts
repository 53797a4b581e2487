// The driver against an api object whose calls are mocks: what is sent, in which order, and what errors do.
import { type Api, ApiError, type AttachDB } from 'storpool-spopenstack';
import { describe, expect, test, vi } from 'vitest';
import { CinderDriver, type CinderDriverOptions } from './driver.js';

const GIB = 1024 ** 3;
const refusal = (name: string) => new ApiError(409, { error: { name, descr: 'for the test' } });
const volume = { id: 'v1', size: 2 };
const snapshot = { id: 's1', volumeId: 'v1' };

function setUp(options: Partial<CinderDriverOptions> = {}) {
  const calls: unknown[][] = [];
  /** A call that is noted down and succeeds, until the test says otherwise. */
  const ok =
    (name: string) =>
    (...args: unknown[]) => {
      calls.push([name, ...args.filter((arg) => arg !== undefined)]);
      return Promise.resolve({ ok: true as const });
    };
  const api = {
    snapshotCreate: vi.fn<Api['snapshotCreate']>(ok('snapshotCreate')),
    snapshotDelete: vi.fn<Api['snapshotDelete']>(ok('snapshotDelete')),
    volumeCreate: vi.fn<Api['volumeCreate']>(ok('volumeCreate')),
    volumeDelete: vi.fn<Api['volumeDelete']>(ok('volumeDelete')),
    volumeList: vi.fn<Api['volumeList']>(async (name) => [{ name }]),
    volumeRevert: vi.fn<Api['volumeRevert']>(ok('volumeRevert')),
    volumesReassign: vi.fn<Api['volumesReassign']>(ok('volumesReassign')),
    volumeUpdate: vi.fn<Api['volumeUpdate']>(ok('volumeUpdate')),
  };
  const db = {
    volumeName: (id: string) => `os--volume-${id}`,
    snapshotName: (type: string, id: string) => `os--${type}--none--snapshot-${id}`,
    api: () => api,
    attach: vi.fn<AttachDB['attach']>(),
    detach: vi.fn<AttachDB['detach']>(),
  };
  const log = { warn: vi.fn() };
  return { api, calls, db, log, driver: new CinderDriver({ db, log, ...options }) };
}

test('the device of a volume is detached whatever happens, also when the caller has lost patience', async () => {
  const t = setUp();
  const { signal } = new AbortController();
  t.db.attach.mockRejectedValue(new Error('enough'));
  await expect(t.driver.withDevice(volume, async () => undefined, { signal })).rejects.toThrow('enough');
  expect(t.db.attach).toHaveBeenCalledExactlyOnceWith(
    'cinder-v1',
    { volume: 'os--volume-v1', type: 'cinder', id: 'cinder-v1', rights: 2 },
    { signal },
  );
  expect(t.db.detach).toHaveBeenCalledExactlyOnceWith('cinder-v1');
});

describe('volumes', () => {
  test.each([
    ['the default of copies', {}, undefined, { replication: 3 }],
    ['a number of copies', { replication: 2 }, undefined, { replication: 2 }],
    ['the template of the configuration', { template: 'hdd' }, undefined, { template: 'hdd' }],
    ['the template of the type', { template: 'hdd' }, 'ssd', { template: 'ssd' }],
  ])('are made with %s', async (_what, options, template, settings) => {
    const t = setUp(options);
    await t.driver.createVolume({ ...volume, template });
    expect(t.calls).toEqual([['volumeCreate', { name: 'os--volume-v1', size: 2 * GIB, ...settings }]]);
  });

  test('are made from a snapshot', async () => {
    const t = setUp();
    await t.driver.createVolumeFromSnapshot({ id: 'v2', size: 3 }, snapshot);
    expect(t.calls).toEqual([
      ['volumeCreate', { name: 'os--volume-v2', size: 3 * GIB, parent: 'os--snap--none--snapshot-s1' }],
    ]);
  });

  test('are cloned, into another template too', async () => {
    const t = setUp();
    await t.driver.createClonedVolume({ id: 'v2', size: 2, template: 'ssd' }, volume);
    expect(t.calls).toEqual([
      ['volumeCreate', { name: 'os--volume-v2', size: 2 * GIB, baseOn: 'os--volume-v1' }],
      ['volumeUpdate', 'os--volume-v2', { template: 'ssd' }],
    ]);
  });

  test('that cannot be cloned into another template are not left behind', async () => {
    const t = setUp();
    t.api.volumeUpdate.mockRejectedValue(refusal('objectDoesNotExist'));
    t.api.volumeDelete.mockRejectedValue(refusal('busy'));
    const clone = t.driver.createClonedVolume({ id: 'v2', size: 2, template: 'ssd' }, volume);
    await expect(clone).rejects.toMatchObject({ code: 'objectDoesNotExist' });
    expect(t.api.volumeDelete).toHaveBeenCalledOnce();
    expect(t.log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('os--volume-v2, half made'));
  });

  test('are detached before they are deleted', async () => {
    const t = setUp();
    await t.driver.deleteVolume(volume);
    expect(t.calls).toEqual([
      ['volumesReassign', [{ volume: 'os--volume-v1', detach: 'all' }]],
      ['volumeDelete', 'os--volume-v1'],
    ]);
  });

  test.each(['volumesReassign', 'volumeDelete'] as const)(
    'that %s does not find are deleted',
    async (call) => {
      const t = setUp();
      t.api[call].mockRejectedValue(refusal('objectDoesNotExist'));
      await t.driver.deleteVolume(volume);
    },
  );

  test('that are open are not deleted', async () => {
    const t = setUp();
    t.api.volumesReassign.mockRejectedValue(refusal('busy'));
    await expect(t.driver.deleteVolume(volume)).rejects.toMatchObject({ code: 'busy' });
    expect(t.api.volumeDelete).not.toHaveBeenCalled();
  });

  test('grow', async () => {
    const t = setUp();
    await t.driver.extendVolume(volume, 5);
    expect(t.calls).toEqual([['volumeUpdate', 'os--volume-v1', { size: 5 * GIB }]]);
  });

  test.each([
    ['a template', 'ssd', { template: 'ssd' }],
    ['none', undefined, { replication: 3 }],
  ])('are retyped to %s', async (_what, template, changes) => {
    const t = setUp();
    await t.driver.retype(volume, template);
    expect(t.calls).toEqual([['volumeUpdate', 'os--volume-v1', changes]]);
  });
});

describe('snapshots', () => {
  test('are made, reverted to and deleted', async () => {
    const t = setUp();
    await t.driver.createSnapshot(snapshot);
    await t.driver.revertToSnapshot(volume, snapshot);
    await t.driver.deleteSnapshot(snapshot);
    expect(t.calls).toEqual([
      ['snapshotCreate', 'os--volume-v1', { name: 'os--snap--none--snapshot-s1' }],
      ['volumeRevert', 'os--volume-v1', { toSnapshot: 'os--snap--none--snapshot-s1' }],
      ['volumesReassign', [{ snapshot: 'os--snap--none--snapshot-s1', detach: 'all' }]],
      ['snapshotDelete', 'os--snap--none--snapshot-s1'],
    ]);
  });

  test('that are gone are deleted, others not', async () => {
    const t = setUp();
    t.api.snapshotDelete.mockRejectedValueOnce(refusal('objectDoesNotExist'));
    await t.driver.deleteSnapshot(snapshot);
    t.api.snapshotDelete.mockRejectedValueOnce(refusal('busy'));
    await expect(t.driver.deleteSnapshot(snapshot)).rejects.toMatchObject({ code: 'busy' });
  });
});

describe('after a migration', () => {
  const migrated = { id: 'm1' };
  const rename = (from: string, to: string) => [
    'volumeUpdate',
    `os--volume-${from}`,
    { rename: `os--volume-${to}` },
  ];
  const only =
    (...ids: string[]) =>
    async (name: string) => {
      if (ids.some((id) => name === `os--volume-${id}`)) return [{ name }];
      throw refusal('objectDoesNotExist');
    };

  test('the volume gets the name of one that is elsewhere', async () => {
    const t = setUp();
    t.api.volumeList.mockImplementation(only('m1'));
    expect(await t.driver.updateMigratedVolume(volume, migrated)).toEqual({ nameId: null });
    expect(t.calls).toEqual([rename('m1', 'v1')]);
  });

  test('two volumes change their names', async () => {
    const t = setUp();
    expect(await t.driver.updateMigratedVolume(volume, migrated)).toEqual({ nameId: null });
    expect(t.calls).toEqual([
      rename('v1', 'm1--temp--mig'),
      rename('m1', 'v1'),
      rename('m1--temp--mig', 'm1'),
    ]);
  });

  test('a volume that is not here keeps its name', async () => {
    const t = setUp();
    t.api.volumeList.mockImplementation(only('v1'));
    expect(await t.driver.updateMigratedVolume(volume, migrated)).toEqual({ nameId: 'm1' });
    expect(t.calls).toEqual([]);
    expect(t.log.warn).toHaveBeenCalledOnce();
  });

  test.each([0, 1, 2])('what was renamed is named back when rename %d is refused', async (at) => {
    const t = setUp();
    const names = new Map([
      ['os--volume-v1', 'original'],
      ['os--volume-m1', 'migrated'],
    ]);
    let count = 0;
    t.api.volumeUpdate.mockImplementation(async (from, { rename = '' }) => {
      if (count++ === at) throw refusal('busy');
      names.set(rename, names.get(from) ?? '');
      names.delete(from);
      return { ok: true };
    });
    expect(await t.driver.updateMigratedVolume(volume, migrated)).toEqual({ nameId: 'm1' });
    expect(Object.fromEntries(names)).toEqual({ 'os--volume-v1': 'original', 'os--volume-m1': 'migrated' });
    expect(t.log.warn).toHaveBeenCalledOnce();
  });

  test('an aborted swap is taken back, and says why it ended', async () => {
    const t = setUp();
    const controller = new AbortController();
    const sent: string[] = [];
    t.api.volumeUpdate.mockImplementation(async (from, { rename }, { signal } = {}) => {
      signal?.throwIfAborted();
      sent.push(`${from} ${rename}`);
      controller.abort(new Error('enough'));
      return { ok: true };
    });
    const { signal } = controller;
    await expect(t.driver.updateMigratedVolume(volume, migrated, { signal })).rejects.toThrow('enough');
    expect(sent).toEqual([
      'os--volume-v1 os--volume-m1--temp--mig',
      'os--volume-m1--temp--mig os--volume-v1',
    ]);
  });

  test('what cannot be asked is not renamed', async () => {
    const t = setUp();
    t.api.volumeList.mockRejectedValue(refusal('notAuthorized'));
    await expect(t.driver.updateMigratedVolume(volume, migrated)).rejects.toMatchObject({
      code: 'notAuthorized',
    });
    expect(t.calls).toEqual([]);
  });
});

test('options reach every call', async () => {
  const t = setUp();
  const options = { clusterName: 'second', signal: new AbortController().signal };
  const clone = { id: 'v2', size: 2, template: 'ssd' };
  await t.driver.createVolume(volume, options);
  await t.driver.createVolumeFromSnapshot(volume, snapshot, options);
  await t.driver.createClonedVolume(clone, volume, options);
  await t.driver.deleteVolume(volume, options);
  await t.driver.extendVolume(volume, 3, options);
  await t.driver.createSnapshot(snapshot, options);
  await t.driver.deleteSnapshot(snapshot, options);
  await t.driver.revertToSnapshot(volume, snapshot, options);
  await t.driver.retype(volume, 'ssd', options);
  await t.driver.updateMigratedVolume(volume, { id: 'm1' }, options);
  expect(t.calls).toHaveLength(15);
  expect(t.calls.map((call) => call.at(-1))).toEqual(Array(15).fill(options));
});
