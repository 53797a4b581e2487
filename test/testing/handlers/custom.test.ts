import { expect, test } from 'vitest';
import { ApiError } from '../../../src/index.js';
import { type FakeCall, type FakeHandler, FakeStorPool } from '../../../src/testing/index.js';
import { failureOf } from '../../api/failure.js';
import { client } from '../fake.js';

test('a call that the fake does not know', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  const calls: FakeCall[] = [];
  fake.on('VolumeRebase', (call) => {
    calls.push(call);
    return { rebased: call.name };
  });
  const api = client(fake, { multiCluster: true });
  expect(await api.call('POST', 'VolumeRebase/v', { json: { parentName: 's' } })).toEqual({ rebased: 'v' });
  await api.call('GET', 'VolumeRebase', { multiCluster: true, clusterName: 'far' });
  expect(calls).toEqual([
    {
      method: 'POST',
      path: '/ctrl/1.0/VolumeRebase/v',
      body: { parentName: 's' },
      name: 'v',
      clusterName: undefined,
    },
    {
      method: 'GET',
      path: '/ctrl/1.0/RemoteCommand/far/MultiCluster/VolumeRebase',
      body: undefined,
      name: '',
      clusterName: 'far',
    },
  ]);
  expect(fake.requests).toHaveLength(2);
});

test('the whole path goes before its first part, and the later handler before the earlier one', async () => {
  await using fake = await FakeStorPool.start();
  fake.on('VolumeRebase/v', () => 'first');
  fake.on('VolumeRebase/v', async () => 'v');
  fake.on('VolumeRebase', () => 'any');
  const api = client(fake);
  expect(await api.call('POST', 'VolumeRebase/v')).toBe('v');
  expect(await api.call('POST', 'VolumeRebase/w')).toBe('any');
});

test('in place of the fake’s own answer', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  fake.on('VolumesList', () => []);
  expect(await client(fake).volumesList()).toEqual([]);
  fake.failNext('volumesList', { name: 'busy' });
  expect((await failureOf(client(fake).volumesList(), ApiError)).code).toBe('busy');
});

test('a handler that gives nothing has changed something', async () => {
  await using fake = await FakeStorPool.start();
  fake.on('BalancerStart', () => undefined);
  expect(await client(fake).call('POST', 'BalancerStart')).toEqual({ ok: true, generation: 1 });
});

test('a handler refuses with an ApiError; whatever else it throws is an error of the service', async () => {
  await using fake = await FakeStorPool.start();
  const error = { name: 'busy', descr: 'later', transient: true };
  fake.on('A', () => {
    throw new ApiError(200, { error });
  });
  fake.on('B', async () => {
    throw new Error('a mistake');
  });
  expect(await failureOf(client(fake).call('GET', 'A'), ApiError)).toMatchObject({
    status: 200,
    code: 'busy',
    desc: 'later',
    transient: true,
  });
  expect(await failureOf(client(fake).call('GET', 'B'), ApiError)).toMatchObject({
    status: 500,
    code: 'internalError',
    desc: 'Error: a mistake',
  });
});

test('the token is asked for first', async () => {
  await using fake = await FakeStorPool.start();
  fake.on('A', () => 1);
  expect((await failureOf(client(fake, { auth: 'x' }).call('GET', 'A'), ApiError)).code).toBe(
    'notAuthorized',
  );
});

test.each(['', '/A', 'A/', 'A//b', 'A?b', '/ctrl/1.0/A', 'ctrl/1.0/A', undefined])(
  '%j is not the path of a call',
  async (path) => {
    await using fake = await FakeStorPool.start();
    expect(() => fake.on(path as string, () => 1)).toThrowError('is not the path of a call');
  },
);

test('a handler must be a function', async () => {
  await using fake = await FakeStorPool.start();
  expect(() => fake.on('A', [] as unknown as FakeHandler)).toThrowError(
    'The handler for A is not a function',
  );
});

test('a declared call that the fake does not carry out is refused, until it has a handler', async () => {
  await using fake = await FakeStorPool.start();
  const error = await failureOf(
    client(fake).snapshotFromRemote({ name: 's', remoteId: 'a.b.c', remoteLocation: 'far' } as never),
    ApiError,
  );
  expect(error).toMatchObject({ code: 'invalidParam' });
  expect(error.desc).toContain("fake.on('SnapshotFromRemote', handler)");
  fake.on('SnapshotFromRemote', () => ({ ok: true }));
  expect(
    await client(fake).snapshotFromRemote({ name: 's', remoteId: 'a.b.c', remoteLocation: 'far' } as never),
  ).toEqual({ ok: true });
});
