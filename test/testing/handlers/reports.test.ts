import { expect, test } from 'vitest';
import { ApiError } from '../../../src/index.js';
import { failureOf } from '../../api/failure.js';
import { begin } from './cluster.js';

test('volumes and snapshots in one list', async () => {
  await using t = await begin();
  expect(await t.api.volumesAndSnapshotsList()).toMatchObject({
    volumes: [{ name: 'v' }, { name: 'w' }],
    snapshots: [{ name: 's' }],
  });
});

test('how one of them lies on the disks: on the first that are up', async () => {
  await using t = await begin({
    volumes: [{ name: 'v', size: 100 * 1024 ** 2, replication: 2 }],
    disks: [{ id: 101, generationLeft: 7 }, 201, 301, 401],
  });
  expect(await t.api.volumeDescribe('v')).toMatchObject({
    name: 'v',
    targetDiskSets: [[201, 301]],
    objects: Array(4).fill([201, 301]),
  });
  expect(await t.api.snapshotDescribe('s')).toMatchObject({ name: 's', targetDiskSets: [[201, 301, 401]] });
  expect(await t.api.snapshotInfo('s')).toMatchObject({ name: 's', disksCount: 4, objectsPerDisk: {} });
  for (const call of [t.api.volumeDescribe('s'), t.api.snapshotDescribe('v'), t.api.snapshotInfo('v')]) {
    expect((await failureOf(call, ApiError)).code).toBe('objectDoesNotExist');
  }
});

test('the space of the volumes, and their state', async () => {
  await using t = await begin({ volumes: ['v', { name: 'w', storedSize: 512 }] });
  expect(await t.api.volumesSpace()).toMatchObject([
    { name: 'v', storedSize: 0, spaceUsed: 0 },
    { name: 'w', storedSize: 512 },
  ]);
  expect(await t.api.volumesGetStatus()).toMatchObject({
    v: { name: 'v', snapshot: false, status: 'up', replication: 3, size: 1024 ** 3, downDrives: [] },
    w: { name: 'w', snapshot: false },
    s: { name: 's', snapshot: true },
  });
});

test('the services, and the clients that are offline', async () => {
  await using t = await begin({ attachments: [{ volume: 'v', client: 9 }] });
  t.fake.clientOffline(9);
  expect(await t.api.servicesList()).toMatchObject({
    clusterStatus: 'running',
    mgmt: { 1: { id: 1, status: 'running', active: true } },
    clients: { 1: { id: 1, status: 'running' }, 9: { id: 9, status: 'down', startTime: null } },
    servers: { 1: { id: 1, missingDisks: [] }, 2: { id: 2 }, 3: { id: 3 } },
    bridges: {},
  });
  expect(await t.api.tasksList()).toEqual([]);
});

test('clientConfigWait answers once the client is online', async () => {
  await using t = await begin({ clients: [2] });
  t.fake.clientOffline(2);
  let answered = false;
  const waiting = t.api.clientConfigWait(2).then((status) => {
    answered = true;
    return status;
  });
  await expect.poll(() => t.fake.requests.length, { interval: 2 }).toBe(1);
  await t.api.volumesList();
  expect(answered).toBe(false);
  t.fake.clientOnline(2);
  expect(await waiting).toEqual([
    { id: 2, generation: 1, clientGeneration: 1, configStatus: 'ok', delay: 0 },
  ]);
  expect((await failureOf(t.api.clientConfigWait(3), ApiError)).desc).toBe('No such client registered');
  const nobody = t.api.call('GET', 'ClientConfigWait/x');
  expect((await failureOf(nobody, ApiError)).desc).toBe("'x' is not a client ID.");
});

test('a placement group that something is placed in', async () => {
  await using t = await begin({ volumes: [{ name: 'v', placeTail: 'ssd' }] });
  expect(await t.api.placementGroupDescribe('ssd')).toEqual({ name: 'ssd', disks: [101, 201, 301] });
  expect((await failureOf(t.api.placementGroupDescribe('hdd'), ApiError)).desc).toBe(
    "Placement group 'hdd' does not exist.",
  );
});

test('every cluster at once', async () => {
  await using t = await begin({ volumes: ['v'], remotes: { far: { volumes: ['w'], templates: ['t'] } } });
  expect(await t.api.volumesSpace({ allClusters: true })).toMatchObject({
    clusters: [{ response: { data: [{ name: 'v' }] } }, { response: { data: [{ name: 'w' }] } }],
  });
  expect(await t.api.volumeTemplatesStatus({ allClusters: true })).toMatchObject({
    clusters: [{ response: { data: [] } }, { response: { data: [{ name: 't' }] } }],
  });
  const other = t.api.call('GET', 'MultiCluster/AllClusters/VolumesList');
  expect((await failureOf(other, ApiError)).code).toBe('invalidParam');
});

test('what is in no other location', async () => {
  await using t = await begin({}, { multiCluster: true });
  expect(await t.api.volumeAcquire('v')).toEqual({ ok: true, generation: 2 });
  expect((await failureOf(t.api.volumeAcquire('x'), ApiError)).code).toBe('objectDoesNotExist');
  const remote = { remoteLocation: 'far', remoteId: 'a.b.c' };
  expect((await failureOf(t.api.snapshotFromRemote(remote), ApiError)).desc).toMatch(/let fake\.on\(/u);
  t.fake.on('SnapshotFromRemote', () => undefined);
  expect(await t.api.snapshotFromRemote(remote)).toMatchObject({ ok: true });
});
