import { expect, test } from 'vitest';
import { ApiError } from '../../../src/index.js';
import { failureOf } from '../../api/failure.js';
import { api, refuses, start, useCluster, volume } from './cluster.js';

useCluster();

test('made, used and deleted', async () => {
  expect(await api.volumeTemplateCreate({ name: 'new', size: 512, parent: 's', placeAll: 'ssd' })).toEqual({
    ok: true,
    generation: 2,
  });
  const made = { name: 'new', size: 512, parentName: 's', placeAll: 'ssd', placeTail: 'default' };
  expect(await api.volumeTemplateDescribe('new')).toMatchObject(made);
  expect((await api.volumeTemplatesList()).at(-1)).toMatchObject(made);
  await api.volumeCreate({ name: 'a', template: 'new' });
  expect(volume('a')).toMatchObject({ size: 512, placeAll: 'ssd', templateName: 'new' });
  await refuses(() => api.volumeTemplateDelete('new'), 'busy', "Template 'new' is in use by 'a'.");
  await api.volumeDelete('a');
  await api.volumeTemplateDelete('new');
  expect((await failureOf(api.volumeTemplateDescribe('new'), ApiError)).desc).toBe(
    "Template 'new' does not exist.",
  );
});

test('their space: that of the disks that are up, and nothing stored', async () => {
  await start({
    templates: [{ name: 't', replication: 2 }],
    volumes: [
      { name: 'v', size: 1024, templateName: 't' },
      { name: 'w', size: 512 },
    ],
    snapshots: [{ name: 's', size: 512, templateName: 't' }],
    disks: [
      { id: 1, agCount: 4, agFree: 2 },
      { id: 2, agCount: 6, agFree: 2 },
      { id: 3, generationLeft: 9 },
    ],
  });
  const MIB = 1024 ** 2;
  expect(await api.volumeTemplatesStatus()).toMatchObject([
    {
      name: 't',
      replication: 2,
      volumesCount: 1,
      snapshotsCount: 1,
      size: 1536,
      totalSize: 3072,
      availablePlaceAll: 2048 * MIB,
      capacityPlaceAll: 5120 * MIB,
      stored: { free: 1024 * MIB, capacity: 2560 * MIB, placeAll: { free: 1024 * MIB } },
    },
  ]);
});
