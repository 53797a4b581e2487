import { expect, test } from 'vitest';
import { ApiConnectionError, ApiError, ApiResponseError } from '../../src/index.js';
import { type ApiCallName, FakeStorPool } from '../../src/testing/index.js';
import { failureOf } from '../api/failure.js';
import { client } from './fake.js';

test('an error, with what is not given filled in', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  fake.failNext('volumesList', { name: 'busy' });
  const error = await failureOf(client(fake).volumesList(), ApiError);
  expect(error).toMatchObject({
    status: 409,
    code: 'busy',
    desc: 'The test asked for this error.',
    transient: false,
  });
  expect(await client(fake).volumesList()).toHaveLength(1);
});

test.each([
  ['objectDoesNotExist', 404],
  ['objectExists', 409],
  ['busy', 409],
  ['insufficientResources', 409],
  ['notAuthorized', 403],
  ['invalidParam', 400],
  ['somethingElse', 500],
])('%s has the status %d', async (name, status) => {
  await using fake = await FakeStorPool.start();
  fake.failNext('disksList', { name });
  expect(await failureOf(client(fake).disksList(), ApiError)).toMatchObject({ status, code: name });
});

test('every part of an error can be chosen', async () => {
  await using fake = await FakeStorPool.start();
  const error = { name: 'n', descr: 'd', transient: true };
  fake.failNext('disksList', { ...error, status: 503 });
  const expected = { status: 503, code: 'n', desc: 'd', transient: true, json: { error } };
  expect(await failureOf(client(fake).disksList(), ApiError)).toMatchObject(expected);
});

test('a call that fails has changed nothing', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  fake.failNext('volumeDelete', { name: 'busy' });
  await failureOf(client(fake).volumeDelete('v'), ApiError);
  expect(fake.volumes).toHaveLength(1);
});

test('several times, in order, each call for itself', async () => {
  await using fake = await FakeStorPool.start();
  const api = client(fake);
  fake.failNext('volumesList', { name: 'a' }, 2);
  fake.failNext('volumesList', { name: 'b' });
  fake.failNext('snapshotsList', { name: 'c' });
  const codes: string[] = [];
  for (let at = 0; at < 3; at++) codes.push((await failureOf(api.volumesList(), ApiError)).code);
  expect(codes).toEqual(['a', 'a', 'b']);
  expect(await api.volumesList()).toEqual([]);
  expect((await failureOf(api.snapshotsList(), ApiError)).code).toBe('c');
  expect(await api.snapshotsList()).toEqual([]);
});

test('transient errors are overcome', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  fake.failNext('volumesList', { name: 'n', transient: true }, 2);
  fake.failNext('volumesList', 'reset');
  fake.failNext('volumesList', 'garbage');
  const api = client(fake, { transientRetries: 4, transientSleep: () => 0 });
  expect(await api.volumesList()).toHaveLength(1);
  expect(fake.requests).toHaveLength(5);
});

test.each([
  ['reset', ApiConnectionError, 'ECONNRESET'],
  ['garbage', ApiResponseError, 'ENOTHTTP'],
  ['hang', ApiConnectionError, 'ETIMEDOUT'],
] as const)('%s', async (failure, type, code) => {
  await using fake = await FakeStorPool.start();
  fake.failNext('volumesList', failure);
  const api = client(fake, failure === 'hang' ? { timeout: 40 } : {});
  expect((await failureOf<Error & { code: string }>(api.volumesList(), type)).code).toBe(code);
  expect(await client(fake).volumesList()).toEqual([]);
});

test('an error as a mock would throw it', async () => {
  await using fake = await FakeStorPool.start();
  const error = { name: 'busy', descr: 'is open at 1', transient: false };
  fake.failNext('volumesList', new ApiError(423, { error }));
  expect(await failureOf(client(fake).volumesList(), ApiError)).toMatchObject({
    status: 423,
    code: 'busy',
    desc: 'is open at 1',
    isOpen: true,
  });
});

test.each(['weird', {}, { error: { name: 'busy' } }, new Error('busy'), undefined, null])(
  '%j is no failure',
  async (failure) => {
    await using fake = await FakeStorPool.start();
    expect(() => fake.failNext('volumesList', failure as never)).toThrowError(/^A failure is/);
  },
);

test.each([-1, 1.5, Number.NaN])('%d times is no number of calls', async (times) => {
  await using fake = await FakeStorPool.start();
  expect(() => fake.failNext('volumesList', 'reset', times)).toThrowError('is no number of calls');
});

test.each(['nonsense', 'toString', '__proto__', ''])('there is no call %j', async (call) => {
  await using fake = await FakeStorPool.start();
  expect(() => fake.failNext(call as ApiCallName, 'reset')).toThrowError(
    new TypeError(`The API has no call ${call}`),
  );
});

test('for no calls at all', async () => {
  await using fake = await FakeStorPool.start();
  fake.failNext('volumesList', 'reset', 0);
  expect(await client(fake).volumesList()).toEqual([]);
});

test('the API also refuses with status 200', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  fake.clientOffline();
  fake.failNext('volumesReassignWait', { name: 'busy', status: 200 });
  const error = await failureOf(
    client(fake).volumesReassignWait({ reassign: [{ volume: 'v', rw: [1] }] }),
    ApiError,
  );
  expect(error).toMatchObject({ status: 200, code: 'busy' });
  expect(fake.attachments).toEqual([]);
});
