import { describe, expect, test } from 'vitest';
import type { VolumeCreated } from '../../../src/index.js';
import { api, fake, snapshot, start, useCluster, volume } from './cluster.js';

useCluster();

describe('volumeCreate', () => {
  test('with a size', async () => {
    const places = { placeAll: 'ssd', placeTail: 'hdd', placeHead: 'nvme', reuseServer: true };
    const given = { size: 4096, iops: '-' as const, bw: 5, replication: 2, tags: { a: 'b' }, ...places };
    const result = await api.volumeCreate({ name: 'new', ...given });
    expect(result).toEqual({ ok: true, generation: 2, globalId: volume('new')?.globalId });
    expect(volume('new')).toMatchObject({ ...given, parentName: '', templateName: '' });
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
