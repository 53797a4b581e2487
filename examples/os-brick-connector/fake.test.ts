// The life of connections on a fake cluster: real HTTP, a real cache file, real links for devices.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachDB } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ConnectionProperties, Connector } from './connector.js';

const connection: ConnectionProperties = { volume: 'v1', client_id: 42, access_mode: 'rw' };
const GIB = 1024 ** 3;

let dir: string;
let fake: FakeStorPool;
let db: AttachDB;
let connector: Connector;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storpool-connector-'));
  const [fname, deviceDir, byIdDir] = ['cache.json', 'storpool', 'storpool-byid'].map((name) =>
    join(dir, name),
  );
  const volumes = [{ name: 'os--volume-v1', globalId: 'a.b.c' }, 'os--volume-v2'];
  fake = await FakeStorPool.start({ volumes, clientId: 42, deviceDir, byIdDir, deviceDelay: 20 });
  await writeFile(fname ?? '', '{}');
  const log = { warn: () => undefined };
  db = new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config, detachRetryDelay: 1 });
  const deviceSize = async () => fake.volumes.find(({ globalId }) => globalId === 'a.b.c')?.size ?? 0;
  connector = new Connector({ db, deviceSize });
});

afterEach(async () => {
  await fake.close();
  await rm(dir, { recursive: true });
});

const attached = () => fake.attachments.map(({ volume, rights }) => `${volume} ${rights}`);

test('a volume is connected, extended and disconnected', async () => {
  const device = await connector.connectVolume(connection);
  expect(device).toEqual({ type: 'block', path: join(dir, 'storpool-byid', 'a.b.c') });
  expect(await connector.getAllAvailableVolumes()).toEqual(['v1']);
  expect(attached()).toEqual(['os--volume-v1 rw']);

  await db.api().volumeUpdate('os--volume-v1', { size: 2 * GIB });
  expect(await connector.extendVolume(connection)).toBe(2 * GIB);

  await connector.disconnectVolume(connection, device);
  expect(attached()).toEqual([]);
  expect(await connector.getAllAvailableVolumes()).toEqual([]);
  expect(await db.get()).toEqual({});
});

test('a volume that is renamed meanwhile is extended and disconnected', async () => {
  const device = await connector.connectVolume(connection);
  await db.api().volumeUpdate('os--volume-v1', { rename: 'os--volume-v3', size: 2 * GIB });
  expect(await connector.extendVolume({ ...connection, device_path: device.path })).toBe(2 * GIB);
  await connector.disconnectVolume(connection, device);
  expect(attached()).toEqual([]);
});

test('a volume that is connected a second time has the same device', async () => {
  const first = await connector.connectVolume(connection);
  expect(await connector.connectVolume(connection)).toEqual(first);
  expect(attached()).toHaveLength(1);
});

test('a volume that stays open is detached by force', async () => {
  await connector.connectVolume(connection);
  fake.open('os--volume-v1');
  await connector.disconnectVolume(connection);
  expect(attached()).toEqual([]);
  expect(fake.requests.at(-1)?.body).toMatchObject([{ force: true }]);
});

test('a volume that another service needs stays attached', async () => {
  await connector.connectVolume(connection);
  await db.add('nova-1', { volume: 'os--volume-v1', type: 'nova', rights: 2 });
  fake.open('os--volume-v1');
  await connector.disconnectVolume(connection);
  expect(attached()).toEqual(['os--volume-v1 rw']);
  expect(fake.requests.filter(({ body }) => JSON.stringify(body)?.includes('detach'))).toEqual([]);
  expect(Object.keys(await db.get())).toEqual(['nova-1']);
});

test('many volumes are connected at once', async () => {
  await Promise.all(['v1', 'v2'].map((volume) => connector.connectVolume({ ...connection, volume })));
  expect(attached().sort()).toEqual(['os--volume-v1 rw', 'os--volume-v2 rw']);
});
