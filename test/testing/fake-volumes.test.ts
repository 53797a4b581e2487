import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, ApiError, SPConfig } from '../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { failureOf } from '../api/failure.js';

const GIB = 1024 ** 3;
let fake: FakeStorPool;
let api: Api;

async function start(options: FakeStorPoolOptions) {
  await fake?.close();
  fake = await FakeStorPool.start(options);
  api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
}

beforeEach(() =>
  start({
    volumes: ['v', { name: 'small', size: 512, templateName: 't', parentName: 'base', tags: { virt: 'x' } }],
    snapshots: ['s', { name: 'base', size: 1024, templateName: 'u' }],
    templates: [
      { name: 't', size: 2048 },
      { name: 'u', size: '-' },
    ],
  }),
);
afterEach(async () => {
  vi.useRealTimers();
  await fake.close();
});

const volume = (name: string) => fake.volumes.find((one) => one.name === name);
const snapshot = (name: string) => fake.snapshots.find((one) => one.name === name);

/** The call is refused in that way, and everything is as it was before. */
async function refuses(call: () => Promise<unknown>, code: string, desc: string) {
  const state = () => structuredClone([fake.volumes, fake.snapshots, fake.attachments]);
  const before = state();
  const error = await failureOf(call(), ApiError);
  expect(error).toMatchObject({ code, desc, transient: false });
  expect(state()).toEqual(before);
}

describe('lists', () => {
  test('what is not given is filled in', async () => {
    expect(await api.volumesList()).toEqual([
      {
        name: 'v',
        globalId: expect.stringMatching(/^fake\.b\.[0-9a-z]+$/u),
        size: GIB,
        replication: 3,
        templateName: '',
        parentName: '',
        creationTimestamp: expect.any(Number),
        tags: {},
      },
      expect.objectContaining({
        name: 'small',
        size: 512,
        templateName: 't',
        parentName: 'base',
        tags: { virt: 'x' },
      }),
    ]);
    expect((await api.snapshotsList()).map(({ name, size }) => [name, size])).toEqual([
      ['s', GIB],
      ['base', 1024],
    ]);
    const ids = [...fake.volumes, ...fake.snapshots].map(({ globalId }) => globalId);
    expect(new Set(ids).size).toBe(4);
  });

  test('one by its name or global ID', async () => {
    expect(await api.volumeList('small')).toEqual([volume('small')]);
    expect(await api.volumeList(`~${volume('small')?.globalId}`)).toEqual([volume('small')]);
    expect(await api.snapshotList('base')).toEqual([snapshot('base')]);
    expect(await api.volumeInfo('v')).toEqual({
      ...volume('v'),
      disksCount: 3,
      objectsPerDisk: {},
      objectsPerChain: [],
      objectsPerDiskSet: [],
    });
  });

  test('names with every character that they may have', async () => {
    await start({ volumes: ['#a.b:c_d-E9', '__proto__'], snapshots: ['*a@b:c'] });
    expect((await api.volumeList('#a.b:c_d-E9'))[0]?.name).toBe('#a.b:c_d-E9');
    expect((await api.volumeList('__proto__'))[0]?.name).toBe('__proto__');
    expect((await api.snapshotList('*a@b:c'))[0]?.name).toBe('*a@b:c');
  });

  test('what does not exist', async () => {
    const volumes = [api.volumeList('s'), api.volumeInfo('s'), api.volumeDelete('s')];
    for (const call of volumes) {
      expect(await failureOf(call, ApiError)).toMatchObject({
        status: 404,
        code: 'objectDoesNotExist',
        desc: "Volume 's' does not exist.",
      });
    }
    for (const call of [api.snapshotList('~a.b.c'), api.snapshotDelete('~a.b.c')]) {
      expect(await failureOf(call, ApiError)).toMatchObject({
        status: 404,
        code: 'objectDoesNotExist',
        desc: "Snapshot '~a.b.c' does not exist.",
      });
    }
  });
});

describe('volumeCreate', () => {
  test('with a size', async () => {
    const result = await api.volumeCreate({
      name: 'new',
      size: 4096,
      iops: '-',
      bw: 5,
      replication: 2,
      tags: { a: 'b' },
      placeAll: 'ssd',
      placeTail: 'hdd',
      placeHead: 'nvme',
      reuseServer: true,
    });
    expect(result).toEqual({ ok: true, generation: 2, globalId: volume('new')?.globalId });
    expect(volume('new')).toMatchObject({
      size: 4096,
      iops: '-',
      bw: 5,
      replication: 2,
      tags: { a: 'b' },
      placeAll: 'ssd',
      placeTail: 'hdd',
      placeHead: 'nvme',
      reuseServer: true,
      parentName: '',
      templateName: '',
    });
  });

  test('from a snapshot: its size and template, if no others are given', async () => {
    await api.volumeCreate({ name: 'a', parent: 'base' });
    expect(volume('a')).toMatchObject({ size: 1024, templateName: 'u', parentName: 'base' });
    await api.volumeCreate({ name: 'b', parent: 'base', size: 2048, template: 't' });
    expect(volume('b')).toMatchObject({ size: 2048, templateName: 't', parentName: 'base' });
  });

  test('from a template', async () => {
    await api.volumeCreate({ name: 'a', template: 't' });
    expect(volume('a')).toMatchObject({ size: 2048, templateName: 't', parentName: '' });
  });

  test('as a copy of a volume, by way of a transient snapshot', async () => {
    const result = await api.volumeCreate({ name: 'copy', baseOn: 'small' });
    expect(result).toEqual({
      ok: true,
      generation: 2,
      globalId: volume('copy')?.globalId,
      autoName: expect.stringMatching(/^\*/u),
    });
    expect(volume('copy')).toMatchObject({ size: 512, templateName: 't', parentName: result.autoName });
    expect(snapshot(result.autoName ?? '')).toMatchObject({ transient: true, autoName: true, size: 512 });
  });

  test('a copy can be deleted and made again', async () => {
    await api.volumeCreate({ name: 'copy', baseOn: 'small' });
    await api.volumeDelete('copy');
    await api.volumeCreate({ name: 'copy', baseOn: 'small' });
    expect(volume('copy')?.parentName).toMatch(/^\*/u);
  });

  test.each(['#copy', 'x'.repeat(200)])('a copy can have the name %s', async (name) => {
    const { autoName } = await api.volumeCreate({ name, baseOn: 'small' });
    expect((await api.snapshotList(autoName ?? ''))[0]?.transient).toBe(true);
  });

  test.each<[Record<string, unknown>, string, string]>([
    [{ name: 'v', size: 512 }, 'objectExists', "Volume 'v' already exists."],
    [{ name: 'a/b', size: 512 }, 'invalidParam', "'a/b' is not a name for a volume."],
    [{ name: '~a.b.c', size: 512 }, 'invalidParam', "'~a.b.c' is not a name for a volume."],
    [{ name: '', size: 512 }, 'invalidParam', "'' is not a name for a volume."],
    [{ size: 512 }, 'invalidParam', 'VolumeCreate: "name" is missing.'],
    [{ name: 5, size: 512 }, 'invalidParam', 'VolumeCreate: "name" must be a string.'],
    [{ name: 'a' }, 'invalidParam', 'VolumeCreate: "size" is missing.'],
    [{ name: 'a', template: 'u' }, 'invalidParam', 'VolumeCreate: "size" is missing.'],
    [{ name: 'a', size: 0 }, 'invalidParam', 'VolumeCreate: "size" must be a positive multiple of 512.'],
    [{ name: 'a', size: 513 }, 'invalidParam', 'VolumeCreate: "size" must be a positive multiple of 512.'],
    [{ name: 'a', size: -512 }, 'invalidParam', 'VolumeCreate: "size" must be a positive multiple of 512.'],
    [{ name: 'a', size: '512' }, 'invalidParam', 'VolumeCreate: "size" must be a positive multiple of 512.'],
    [
      { name: 'a', parent: 'base', baseOn: 'v' },
      'invalidParam',
      'VolumeCreate: give "parent" or "baseOn", not both.',
    ],
    [
      { name: 'a', parent: 'base', size: 512 },
      'invalidParam',
      'VolumeCreate: "size" is below that of \'base\'.',
    ],
    [{ name: 'a', parent: 'v' }, 'objectDoesNotExist', "Snapshot 'v' does not exist."],
    [{ name: 'a', baseOn: 'base' }, 'objectDoesNotExist', "Volume 'base' does not exist."],
    [{ name: 'a', size: 512, template: 'w' }, 'objectDoesNotExist', "Template 'w' does not exist."],
    [
      { name: 'a', size: 512, iops: 1.5 },
      'invalidParam',
      'VolumeCreate: "iops" must be a whole number from 0 on, or "-".',
    ],
    [
      { name: 'a', size: 512, replication: '3' },
      'invalidParam',
      'VolumeCreate: "replication" must be a whole number from 0 on.',
    ],
    [
      { name: 'a', size: 512, reuseServer: 1 },
      'invalidParam',
      'VolumeCreate: "reuseServer" must be true or false.',
    ],
    [
      { name: 'a', size: 512, tags: { a: 1 } },
      'invalidParam',
      'VolumeCreate: "tags" must be an object of strings.',
    ],
    [
      { name: 'a', size: 512, tags: ['a'] },
      'invalidParam',
      'VolumeCreate: "tags" must be an object of strings.',
    ],
    [{ name: 'a', size: 512, nonsense: 1 }, 'invalidParam', 'VolumeCreate: there is no "nonsense".'],
    [
      JSON.parse('{"name":"a","size":512,"__proto__":1}'),
      'invalidParam',
      'VolumeCreate: there is no "__proto__".',
    ],
  ])('refuses %j', async (json, code, desc) => {
    await refuses(() => api.call('POST', 'VolumeCreate', { json }), code, desc);
  });

  test('refuses to do without an argument', async () => {
    await refuses(
      () => api.call('POST', 'VolumeCreate'),
      'invalidParam',
      'VolumeCreate: the argument must be an object.',
    );
  });
});

describe('volumeUpdate', () => {
  test('renames; the attachments go with it', async () => {
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    const { globalId } = volume('v') ?? {};
    expect(await api.volumeUpdate('v', { rename: 'w' })).toEqual({ ok: true, generation: 3 });
    expect(volume('v')).toBeUndefined();
    expect(volume('w')?.globalId).toBe(globalId);
    expect(fake.attachments).toMatchObject([{ volume: 'w', client: 1, rights: 'rw' }]);
  });

  test('its own name is no other name', async () => {
    await api.volumeUpdate('v', { rename: 'v', iops: 5 });
    expect(volume('v')?.iops).toBe(5);
  });

  test('resizes', async () => {
    await api.volumeUpdate('small', { size: 2048 });
    expect(volume('small')?.size).toBe(2048);
    await api.volumeUpdate('small', { sizeAdd: 512 });
    expect(volume('small')?.size).toBe(2560);
    await api.volumeUpdate('small', { size: 512, shrinkOk: true });
    expect(volume('small')?.size).toBe(512);
    await api.volumeUpdate('small', { bw: '-' });
    expect(volume('small')).toMatchObject({ size: 512, bw: '-', tags: { virt: 'x' } });
  });

  test('tags are added; an empty one is taken away', async () => {
    await api.volumeUpdate('small', { tags: { a: '1', b: '2' } });
    expect(volume('small')?.tags).toEqual({ virt: 'x', a: '1', b: '2' });
    await api.volumeUpdate('small', { tags: { virt: '', a: '3', none: '' } });
    expect(volume('small')?.tags).toEqual({ a: '3', b: '2' });
  });

  test('another template', async () => {
    await api.volumeUpdate('v', { template: 'u' });
    expect(volume('v')?.templateName).toBe('u');
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['gone', { size: 512 }, 'objectDoesNotExist', "Volume 'gone' does not exist."],
    ['v', { rename: 'small' }, 'objectExists', "Volume 'small' already exists."],
    ['v', { rename: 'a b' }, 'invalidParam', "'a b' is not a name for a volume."],
    ['v', { size: 512 }, 'invalidParam', 'VolumeUpdate: \'v\' would shrink; "shrinkOk" allows that.'],
    [
      'v',
      { size: 512, shrinkOk: false },
      'invalidParam',
      'VolumeUpdate: \'v\' would shrink; "shrinkOk" allows that.',
    ],
    ['v', { size: 512, sizeAdd: 512 }, 'invalidParam', 'VolumeUpdate: give "size" or "sizeAdd", not both.'],
    ['v', { template: 'w' }, 'objectDoesNotExist', "Template 'w' does not exist."],
    ['v', { name: 'w' }, 'invalidParam', 'VolumeUpdate: there is no "name".'],
    ['v', { template: 't', rename: 'small' }, 'objectExists', "Volume 'small' already exists."],
    ['v', { template: 'w', rename: 'free' }, 'objectDoesNotExist', "Template 'w' does not exist."],
  ])('refuses %s %j', async (name, json, code, desc) => {
    await refuses(() => api.call('POST', `VolumeUpdate/${name}`, { json }), code, desc);
  });
});

describe('volumeRevert', () => {
  test('to a snapshot of the same size', async () => {
    expect(await api.volumeRevert('v', { toSnapshot: 's' })).toEqual({ ok: true, generation: 2 });
    expect(volume('v')).toMatchObject({ parentName: 's', size: GIB });
  });

  test('to one of another size, when that is asked for', async () => {
    await refuses(
      () => api.volumeRevert('v', { toSnapshot: 'base' }),
      'invalidParam',
      'VolumeRevert: \'base\' has another size; "revertSize" takes that too.',
    );
    await api.volumeRevert('v', { toSnapshot: 'base', revertSize: true });
    expect(volume('v')).toMatchObject({ parentName: 'base', size: 1024 });
  });

  test('not while it is attached', async () => {
    await api.volumesReassign([{ volume: 'v', ro: [7] }]);
    await refuses(
      () => api.volumeRevert('v', { toSnapshot: 's' }),
      'busy',
      "Volume 'v' is in use at client 7.",
    );
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['gone', { toSnapshot: 's' }, 'objectDoesNotExist', "Volume 'gone' does not exist."],
    ['v', { toSnapshot: 'gone' }, 'objectDoesNotExist', "Snapshot 'gone' does not exist."],
    ['v', {}, 'invalidParam', 'VolumeRevert: "toSnapshot" is missing.'],
    [
      'v',
      { toSnapshot: 's', revertSize: 'yes' },
      'invalidParam',
      'VolumeRevert: "revertSize" must be true or false.',
    ],
  ])('refuses %s %j', async (name, json, code, desc) => {
    await refuses(() => api.call('POST', `VolumeRevert/${name}`, { json }), code, desc);
  });
});

describe('volumeDelete', () => {
  test('deletes that one, by its name or global ID', async () => {
    await api.volumeDelete('v');
    expect(fake.volumes.map(({ name }) => name)).toEqual(['small']);
    await api.volumeDelete(`~${volume('small')?.globalId}`);
    expect(fake.volumes).toEqual([]);
  });

  test('not while it is attached', async () => {
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    await refuses(() => api.volumeDelete('v'), 'busy', "Volume 'v' is in use at client 1.");
    await api.volumesReassign([{ volume: 'v', detach: 'all' }]);
    await api.volumeDelete('v');
    expect(volume('v')).toBeUndefined();
  });
});

describe('snapshotCreate', () => {
  test('with a name', async () => {
    const result = await api.snapshotCreate('small', {
      name: 'new',
      bind: true,
      targetDeleteDate: 5,
      tags: { a: 'b' },
    });
    expect(result).toEqual({ ok: true, generation: 2, snapshotGlobalId: snapshot('new')?.globalId });
    expect(snapshot('new')).toMatchObject({
      size: 512,
      onVolume: 'small',
      parentName: 'base',
      templateName: 't',
      autoName: false,
      bound: true,
      targetDeleteDate: 5,
      tags: { a: 'b' },
    });
    expect(volume('small')?.parentName).toBe('new');
  });

  test('with a name that the service makes up, another one each time', async () => {
    const first = await api.snapshotCreate('v');
    const second = await api.snapshotCreate('v');
    expect(first.autoName).toMatch(/^\*/u);
    expect(second.autoName).not.toBe(first.autoName);
    expect(snapshot(first.autoName ?? '')).toMatchObject({ autoName: true, bound: false, onVolume: 'v' });
    expect(snapshot(second.autoName ?? '')?.parentName).toBe(first.autoName);
  });

  test('to be deleted some time later', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_500 });
    await api.snapshotCreate('v', { name: 'new', deleteAfter: 60 });
    expect(snapshot('new')?.targetDeleteDate).toBe(1_800_000_060);
    await api.snapshotCreate('v', { name: 'kept', deleteAfter: 0 });
    expect(snapshot('kept')).not.toHaveProperty('targetDeleteDate');
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['gone', {}, 'objectDoesNotExist', "Volume 'gone' does not exist."],
    ['v', { name: 's' }, 'objectExists', "Snapshot 's' already exists."],
    ['v', { name: '#s' }, 'invalidParam', "'#s' is not a name for a snapshot."],
    ['v', { name: '~a.b.c' }, 'invalidParam', "'~a.b.c' is not a name for a snapshot."],
    ['v', { bind: 1 }, 'invalidParam', 'VolumeSnapshot: "bind" must be true or false.'],
    [
      'v',
      { deleteAfter: -1 },
      'invalidParam',
      'VolumeSnapshot: "deleteAfter" must be a whole number from 0 on.',
    ],
    ['v', { tags: 'a' }, 'invalidParam', 'VolumeSnapshot: "tags" must be an object of strings.'],
    ['v', { size: 512 }, 'invalidParam', 'VolumeSnapshot: there is no "size".'],
  ])('refuses %s %j', async (name, json, code, desc) => {
    await refuses(() => api.call('POST', `VolumeSnapshot/${name}`, { json }), code, desc);
  });
});

describe('snapshotDelete', () => {
  test('what is based on it is then based on its parent', async () => {
    await api.snapshotCreate('small', { name: 'one' });
    await api.snapshotCreate('small', { name: 'two' });
    await api.snapshotDelete('one');
    expect(snapshot('one')).toBeUndefined();
    expect(snapshot('two')?.parentName).toBe('base');
    await api.snapshotDelete('two');
    expect(volume('small')?.parentName).toBe('base');
    await api.snapshotDelete('base');
    expect(volume('small')?.parentName).toBe('');
    expect(fake.snapshots.map(({ name }) => name)).toEqual(['s']);
  });

  test('not while it is attached', async () => {
    await api.volumesReassign([{ snapshot: 's', ro: [2] }]);
    await refuses(() => api.snapshotDelete('s'), 'busy', "Snapshot 's' is in use at client 2.");
  });
});

describe('snapshotUpdate', () => {
  test('renames; attachments and children go with it', async () => {
    await api.volumesReassign([{ snapshot: 'base', ro: [1] }]);
    await api.snapshotCreate('small', { name: 'child' });
    expect(await api.snapshotUpdate('base', { rename: 'root' })).toEqual({ ok: true, generation: 4 });
    expect(snapshot('base')).toBeUndefined();
    expect(snapshot('child')?.parentName).toBe('root');
    expect(fake.attachments).toMatchObject([{ volume: 'root', snapshot: true }]);
  });

  test('changes only what is given', async () => {
    await api.snapshotUpdate('base', { rename: 'base', tags: { a: 'b' } });
    expect(snapshot('base')).toMatchObject({ size: 1024, templateName: 'u', tags: { a: 'b' } });
    expect(snapshot('base')).not.toHaveProperty('bound');
    expect(snapshot('base')).not.toHaveProperty('targetDeleteDate');
    await api.snapshotUpdate('base', { bind: true, placeAll: 'ssd' });
    expect(snapshot('base')).toMatchObject({ bound: true, placeAll: 'ssd', tags: { a: 'b' } });
    await api.snapshotUpdate('base', { bind: false });
    expect(snapshot('base')?.bound).toBe(false);
  });

  test('the time of its deletion', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_500 });
    await api.snapshotUpdate('s', { deleteAfter: 60 });
    expect(snapshot('s')?.targetDeleteDate).toBe(1_800_000_060);
    await api.snapshotUpdate('s', { deleteAfter: 0 });
    expect(snapshot('s')?.targetDeleteDate).toBe(0);
    await api.snapshotUpdate('s', { targetDeleteDate: 7 });
    expect(snapshot('s')?.targetDeleteDate).toBe(7);
  });

  test.each<[string, Record<string, unknown>, string, string]>([
    ['gone', {}, 'objectDoesNotExist', "Snapshot 'gone' does not exist."],
    ['base', { rename: 's' }, 'objectExists', "Snapshot 's' already exists."],
    ['base', { rename: '**' }, 'invalidParam', "'**' is not a name for a snapshot."],
    ['base', { size: 512 }, 'invalidParam', 'SnapshotUpdate: there is no "size".'],
    [
      'base',
      { targetDeleteDate: 'soon' },
      'invalidParam',
      'SnapshotUpdate: "targetDeleteDate" must be a whole number from 0 on.',
    ],
  ])('refuses %s %j', async (name, json, code, desc) => {
    await refuses(() => api.call('POST', `SnapshotUpdate/${name}`, { json }), code, desc);
  });
});

describe('what volumes and snapshots take over', () => {
  const settings = { replication: 1, placeAll: 'ssd' };

  test('from a template, at first and when it is changed; what is given beats it', async () => {
    await start({ volumes: ['v'], templates: [{ name: 'fast', ...settings }] });
    await api.volumeCreate({ name: 'made', size: 512, template: 'fast' });
    expect(volume('made')).toMatchObject(settings);
    await api.volumeCreate({ name: 'own', size: 512, template: 'fast', replication: 2 });
    expect(volume('own')).toMatchObject({ ...settings, replication: 2 });
    await api.volumeUpdate('v', { template: 'fast' });
    expect(volume('v')).toMatchObject(settings);
  });

  test('from what they are made of', async () => {
    await start({ volumes: [{ name: 'v', ...settings }] });
    await api.snapshotCreate('v', { name: 'snap' });
    expect(snapshot('snap')).toMatchObject(settings);
    await api.volumeCreate({ name: 'child', parent: 'snap' });
    expect(volume('child')).toMatchObject(settings);
  });

  test('a parent that is given by its global ID is one by its name', async () => {
    await api.volumeCreate({ name: 'child', parent: `~${snapshot('s')?.globalId}` });
    expect(volume('child')?.parentName).toBe('s');
    await api.snapshotUpdate('s', { rename: 's2' });
    expect(volume('child')?.parentName).toBe('s2');
  });

  test('a tag without a value is none, at first too', async () => {
    await api.volumeCreate({ name: 'tagged', size: 512, tags: { a: '', b: 'x' } });
    expect(volume('tagged')?.tags).toEqual({ b: 'x' });
  });
});

test('a transient snapshot cannot be attached', async () => {
  await start({ snapshots: [{ name: 'passing', transient: true }] });
  const attach = () => api.volumesReassign([{ snapshot: 'passing', ro: [1] }]);
  await refuses(attach, 'invalidParam', "VolumesReassign: 'passing' is transient and cannot be attached.");
});

test('what is open at a client that does not have it attached stops nobody', async () => {
  fake.open('v');
  await api.volumesReassign([{ volume: 'v', detach: [1] }]);
  await api.volumesReassign([{ volume: 'v', rw: [1] }]);
  await expect(api.volumesReassign([{ volume: 'v', detach: [1] }])).resolves.toBeDefined();
});

test('names of the beginning are checked as all others', async () => {
  await expect(FakeStorPool.start({ volumes: ['a', 'a'] })).rejects.toThrow(/a/);
  await expect(FakeStorPool.start({ volumes: ['a/b'] })).rejects.toThrow(/'a\/b' is not a name for a volume/);
});

test('a listener that fails does not keep the client waiting', async () => {
  const failed = new Promise((resolve) => {
    process.once('uncaughtException', resolve);
  });
  const listeners = process
    .listeners('uncaughtException')
    .filter((one) => one !== process.listeners('uncaughtException').at(-1));
  for (const one of listeners) process.off('uncaughtException', one);
  try {
    await start({
      onRequest: () => {
        throw new Error('an expectation');
      },
    });
    const impatient = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }), { transientRetries: 0 });
    await expect(impatient.volumesList()).rejects.toMatchObject({ name: 'ApiConnectionError' });
    expect(await failed).toMatchObject({ message: 'an expectation' });
  } finally {
    for (const one of listeners) process.on('uncaughtException', one);
  }
});

test('failNext() for no calls at all', async () => {
  fake.failNext('volumesList', 'reset', 0);
  expect(await api.volumesList()).toHaveLength(2);
});
