import { describe, expect, test } from 'vitest';
import type { VolumeCreated } from '../../../src/index.js';
import { api, fake, refuses, snapshot, start, useCluster, volume } from './cluster.js';

useCluster();

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

  test.each([{}, { name: '' }])('with %j it has only a global ID', async (argument) => {
    const json = { ...argument, size: 512 };
    const made = (await api.call('POST', 'VolumeCreate', { json })) as VolumeCreated;
    const name = `~${made.globalId}`;
    expect(made).toEqual({ ok: true, generation: 2, globalId: made.globalId, name });
    expect(await api.volumeList(name)).toMatchObject([{ name, globalId: made.globalId, size: 512 }]);
    await api.volumesReassign([{ volume: name, rw: [1] }]);
    expect(fake.attachments).toMatchObject([{ volume: name, globalId: made.globalId }]);
    await api.volumeUpdate(name, { rename: 'named' });
    expect(volume('named')?.globalId).toBe(made.globalId);
    expect((await api.volumeList(name))[0]?.name).toBe('named');
  });

  test('a copy without a name', async () => {
    const made = await api.volumeCreate({ name: '', baseOn: 'small' });
    expect(made).toMatchObject({ name: `~${made.globalId}`, autoName: expect.stringMatching(/^\*/u) });
    expect((await api.snapshotList(made.autoName ?? ''))[0]?.transient).toBe(true);
  });

  test('a copy can be deleted and made again', async () => {
    await api.volumeCreate({ name: 'copy', baseOn: 'small' });
    await api.volumeDelete('copy');
    await api.volumeCreate({ name: 'copy', baseOn: 'small' });
    expect(volume('copy')?.parentName).toMatch(/^\*/u);
  });

  test.each(['#copy', 'x'.repeat(199)])('a copy can have the name %s', async (name) => {
    const { autoName } = await api.volumeCreate({ name, baseOn: 'small' });
    expect((await api.snapshotList(autoName ?? ''))[0]?.transient).toBe(true);
  });

  test.each<[Record<string, unknown>, string, string]>([
    [{ name: 'v', size: 512 }, 'objectExists', "Volume 'v' already exists."],
    [{ name: 'a/b', size: 512 }, 'invalidParam', "'a/b' is not a name for a volume."],
    [{ name: '~a.b.c', size: 512 }, 'invalidParam', "'~a.b.c' is not a name for a volume."],
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
