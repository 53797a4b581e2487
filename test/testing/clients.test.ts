import { existsSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Api, SPConfig } from '../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();

async function start(options: FakeStorPoolOptions = {}) {
  const fake = await FakeStorPool.start({
    volumes: [{ name: 'v', globalId: 'a.b.c' }],
    deviceDir: path('dev'),
    byIdDir: path('byid'),
    ...options,
  });
  const api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }), { transientRetries: 0 });
  return { fake, api, [Symbol.asyncDispose]: () => fake.close() };
}

const attach = { reassign: [{ volume: 'v', rw: [1] }] };

test('volumesReassignWait answers once the device is there', async () => {
  await using cluster = await start({ deviceDelay: 30 });
  await cluster.api.volumesReassignWait(attach);
  expect(existsSync(path('dev/v'))).toBe(true);
  expect(existsSync(path('byid/a.b.c'))).toBe(true);
});

test('what is attached to a client that is offline has no device until it is online', async () => {
  await using cluster = await start();
  const { fake, api } = cluster;
  fake.clientOffline();
  await api.volumesReassign([{ volume: 'v', rw: [1] }]);
  expect(fake.attachments).toMatchObject([{ volume: 'v', client: 1 }]);
  expect(existsSync(path('dev/v'))).toBe(false);
  fake.clientOnline();
  expect(existsSync(path('dev/v'))).toBe(true);
  fake.clientOffline(1);
  expect(existsSync(path('dev/v'))).toBe(false);
});

test('volumesReassignWait waits for a client that is offline', async () => {
  await using cluster = await start();
  const { fake, api } = cluster;
  fake.clientOffline();
  let answered = false;
  const waiting = api.volumesReassignWait(attach).then(() => {
    answered = true;
  });
  await expect.poll(() => fake.attachments.length, { interval: 2 }).toBe(1);
  expect(answered).toBe(false);
  fake.clientOnline();
  await waiting;
  expect(existsSync(path('dev/v'))).toBe(true);
});

test('for attachTimeout seconds at most, and not at all with 0', async () => {
  await using cluster = await start();
  cluster.fake.clientOffline();
  await cluster.api.volumesReassignWait({ ...attach, attachTimeout: 0 });
  const begin = performance.now();
  await cluster.api.volumesReassignWait({ ...attach, attachTimeout: 1 });
  expect(performance.now() - begin).toBeGreaterThan(900);
});

test('what others wait for does not keep the service from ending', async () => {
  const { fake, api } = await start();
  fake.clientOffline();
  const waiting = api.volumesReassignWait(attach).catch((error: { code: string }) => error.code);
  await expect.poll(() => fake.attachments.length, { interval: 2 }).toBe(1);
  await fake.close();
  expect(await waiting).toBe('ECONNRESET');
});

test('a refusal is answered at once', async () => {
  await using cluster = await start({ deviceDelay: 60_000 });
  await expect(
    cluster.api.volumesReassignWait({ reassign: [{ volume: 'x', rw: [1] }] }),
  ).rejects.toMatchObject({
    code: 'objectDoesNotExist',
  });
});

test.each([0, -1, 1.5, '1'])('%j is not a client ID', async (id) => {
  const clientId = id as number;
  await expect(FakeStorPool.start({ clientId })).rejects.toThrow('is not a client ID');
  const attachments = [{ volume: 'v', client: clientId }];
  await expect(FakeStorPool.start({ volumes: ['v'], attachments })).rejects.toThrow('is not a client ID');
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  expect(() => fake.open('v', clientId)).toThrowError('is not a client ID');
});
