import { expect, test } from 'vitest';
import { ApiError } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { failureOf } from '../api/failure.js';
import { client } from './fake.js';

test('each has a state of its own', async () => {
  await using fake = await FakeStorPool.start({
    volumes: ['here'],
    clientId: 5,
    remotes: {
      far: { volumes: ['there'], snapshots: ['s'], attachments: [{ volume: 'there' }] },
      empty: {},
    },
  });
  const api = client(fake);
  expect((await api.volumesList({ clusterName: 'far' })).map(({ name }) => name)).toEqual(['there']);
  expect(await api.volumesList({ clusterName: 'empty' })).toEqual([]);
  await api.volumeCreate({ name: 'new', size: 512 }, { clusterName: 'empty' });
  await api.volumesReassign([{ snapshot: 's', ro: [5] }], { clusterName: 'far' });
  expect(fake.remote('empty').volumes.map(({ name }) => name)).toEqual(['new']);
  expect(fake.remote('far').snapshots.map(({ name }) => name)).toEqual(['s']);
  expect(fake.remote('far').attachments.map(({ volume, client }) => [volume, client])).toEqual([
    ['there', 5],
    ['s', 5],
  ]);
  expect(fake.volumes.map(({ name }) => name)).toEqual(['here']);
  expect(fake.attachments).toEqual([]);
});

test('one that does not exist', async () => {
  await using fake = await FakeStorPool.start({ remotes: { far: {} } });
  for (const clusterName of ['near', 'constructor', '__proto__']) {
    expect(await failureOf(client(fake).volumesList({ clusterName }), ApiError)).toMatchObject({
      status: 404,
      code: 'objectDoesNotExist',
      desc: `Cluster '${clusterName}' does not exist.`,
    });
  }
  expect(() => fake.remote('near')).toThrowError('There is no remote cluster near: give it in remotes');
});

test('the multi-cluster form gives the same, and can be seen in the requests', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'], remotes: { far: { volumes: ['w'] } } });
  const api = client(fake, { multiCluster: true });
  expect((await api.volumeList('v'))[0]?.name).toBe('v');
  expect((await api.volumeList('w', { clusterName: 'far' }))[0]?.name).toBe('w');
  await api.disksList();
  expect(fake.requests.map(({ path }) => path)).toEqual([
    '/ctrl/1.0/MultiCluster/Volume/v',
    '/ctrl/1.0/RemoteCommand/far/MultiCluster/Volume/w',
    '/ctrl/1.0/DisksList',
  ]);
});
