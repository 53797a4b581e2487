import { describe, expect, test } from 'vitest';
import { ApiError } from '../../../src/index.js';
import { FakeStorPool } from '../../../src/testing/index.js';
import { failureOf } from '../../api/failure.js';
import { api, fake, GIB, refuses, snapshot, start, useCluster, volume } from './cluster.js';

useCluster();

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
        placeAll: 'default',
        placeTail: 'default',
        placeHead: 'default',
        bw: '-',
        iops: '-',
        objectsCount: 32,
        visibleVolumeId: expect.any(Number),
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
    expect(await api.snapshotsList()).toMatchObject([
      {
        name: 's',
        size: GIB,
        onVolume: '-',
        autoName: false,
        bound: false,
        deleted: false,
        transient: false,
        recoveringFromRemote: false,
      },
      { name: 'base', size: 1024 },
    ]);
    expect(await api.volumeTemplatesList()).toMatchObject([
      { name: 't', parentName: '', placeAll: 'default', replication: 3, size: 2048, bw: '-', iops: '-' },
      { name: 'u', size: '-' },
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
});

describe('volumeDelete', () => {
  const remove = (onAttached: string) => api.call('POST', 'VolumeDelete/v', { json: { onAttached } });

  test('detaches first, if that is asked for', async () => {
    await api.volumesReassign([{ volume: 'v', rw: [1], ro: [2] }]);
    await refuses(() => remove('fail'), 'busy', "Volume 'v' is in use at client 1.");
    fake.open('v', 2);
    await refuses(() => remove('detach'), 'busy', "Volume 'v' is open at client 2.");
    await remove('detachForce');
    expect([volume('v'), fake.attachments]).toEqual([undefined, []]);
  });

  test('detaches what is not open', async () => {
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    await remove('detach');
    expect([volume('v'), fake.attachments]).toEqual([undefined, []]);
  });

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

test('names of the beginning are checked as all others', async () => {
  await expect(FakeStorPool.start({ volumes: ['a', 'a'] })).rejects.toThrow(/a/);
  await expect(FakeStorPool.start({ volumes: ['a/b'] })).rejects.toThrow(/'a\/b' is not a name for a volume/);
});
