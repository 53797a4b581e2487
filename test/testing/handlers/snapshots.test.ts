import { describe, expect, test, vi } from 'vitest';
import { api, fake, refuses, snapshot, useCluster, volume } from './cluster.js';

useCluster();

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

  test.each([{}, { name: '' }])('%j: it has only a global ID, another one each time', async (argument) => {
    const first = await api.snapshotCreate('v', argument);
    const second = await api.snapshotCreate('v', argument);
    const { snapshotGlobalId } = first;
    expect(first).toEqual({
      ok: true,
      generation: 2,
      snapshotGlobalId,
      globalId: snapshotGlobalId,
      name: `~${snapshotGlobalId}`,
      autoName: `~${snapshotGlobalId}`,
    });
    expect(second.snapshotGlobalId).not.toBe(snapshotGlobalId);
    const [made] = await api.snapshotList(`~${snapshotGlobalId}`);
    expect(made).toMatchObject({ name: first.autoName, autoName: true, bound: false, onVolume: 'v' });
    expect(snapshot(second.autoName ?? '')?.parentName).toBe(first.autoName);
  });

  test('knows its volume under another name, and when it is gone', async () => {
    await api.snapshotCreate('v', { name: 'new' });
    await api.volumeUpdate('v', { rename: 'w' });
    expect(snapshot('new')?.['onVolume']).toBe('w');
    await api.volumeDelete('w');
    expect(snapshot('new')?.['onVolume']).toBe('-');
  });

  test('to be deleted some time later', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_500 });
    await api.snapshotCreate('v', { name: 'new', deleteAfter: 60 });
    expect(snapshot('new')?.targetDeleteDate).toBe(1_800_000_060);
    await api.snapshotCreate('v', { name: 'kept', deleteAfter: 0 });
    expect(snapshot('kept')).not.toHaveProperty('targetDeleteDate');
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
    expect(snapshot('base')?.['bound']).toBe(false);
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
});

describe('volumesGroupSnapshot', () => {
  test('a snapshot of each volume, with or without a name', async () => {
    const { snapshots } = await api.volumesGroupSnapshot({
      volumes: [
        { volume: 'v', name: 'one' },
        { volume: 'small', name: '' },
        { volume: `~${volume('v')?.globalId}` },
      ],
      tags: { a: 'b' },
    });
    expect(snapshots.map((one) => [one.volume, one.volumeGlobalId])).toEqual(
      ['v', 'small', 'v'].map((name) => [name, volume(name)?.globalId]),
    );
    for (const one of snapshots) {
      expect(snapshot(one.snapshot ?? '')).toMatchObject({
        globalId: one.snapshotGlobalId,
        onVolume: one.volume,
        tags: { a: 'b' },
      });
    }
    expect(snapshots.map((one) => one.snapshot)).toEqual([
      'one',
      `~${snapshots[1]?.snapshotGlobalId}`,
      `~${snapshots[2]?.snapshotGlobalId}`,
    ]);
  });
});

describe('volumeFreeze', () => {
  test('the volume becomes a snapshot', async () => {
    const { globalId } = volume('small') ?? {};
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_500 });
    expect(await api.volumeFreeze('small', { deleteAfter: 60 })).toEqual({ ok: true, generation: 2 });
    expect(volume('small')).toBeUndefined();
    expect(snapshot('small')).toMatchObject({
      globalId,
      size: 512,
      parentName: 'base',
      tags: { virt: 'x' },
      targetDeleteDate: 1_800_000_060,
      deleted: false,
    });
  });

  test('one without a name stays without one', async () => {
    const { globalId } = await api.volumeCreate({ name: '', size: 512 });
    await api.volumeFreeze(`~${globalId}`);
    expect((await api.snapshotList(`~${globalId}`))[0]).toMatchObject({ name: `~${globalId}`, globalId });
  });

  test('not while it is attached, nor where a snapshot has its name', async () => {
    await api.volumeCreate({ name: 's', size: 512 });
    await refuses(() => api.volumeFreeze('s'), 'objectExists', "Snapshot 's' already exists.");
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    await refuses(() => api.volumeFreeze('v'), 'busy', "Volume 'v' is in use at client 1.");
  });
});

test('mcMode is taken, and kept by nothing', async () => {
  const json = { name: 'a', size: 512, mcMode: 'x' };
  await api.call('POST', 'VolumeCreate', { json });
  await api.call('POST', 'VolumeUpdate/a', { json: { mcMode: 'y' } });
  await api.call('POST', 'VolumeSnapshot/a', { json: { name: 'b', mcMode: 'z' } });
  await api.call('POST', 'SnapshotUpdate/b', { json: { mcMode: 'z' } });
  expect(volume('a')).not.toHaveProperty('mcMode');
  expect(snapshot('b')).not.toHaveProperty('mcMode');
});
