// The life cycle of connections on a fake cluster: real HTTP, a real cache file, real links for devices.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachDB } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AttachDBConnector } from './attach-db-connector.js';
import type { ConnectionProperties } from './connector.js';
import { GlobalIdConnector } from './global-id-connector.js';

const connection: ConnectionProperties = { volume: 'v1', client_id: 42, access_mode: 'rw' };
const GIB = 1024 ** 3;

let dir: string;
let byIdDir: string;
let deviceDir: string;
let fake: FakeStorPool;
let db: AttachDB;
const log = { warn: vi.fn() };

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storpool-connector-'));
  byIdDir = join(dir, 'storpool-byid');
  deviceDir = join(dir, 'storpool');
  await mkdir(byIdDir);
  fake = await FakeStorPool.start({
    volumes: [{ name: 'os--volume-v1', globalId: 'a.b.c' }, 'os--volume-v2'],
    clientId: 42,
    deviceDir,
    deviceDelay: 20,
  });
  const fname = join(dir, 'openstack-attach.json');
  await writeFile(fname, '{}');
  log.warn.mockClear();
  db = new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config, detachRetryDelay: 1 });
});

afterEach(async () => {
  await fake.close();
  await rm(dir, { recursive: true });
});

const attached = () => fake.attachments.map(({ volume, rights }) => `${volume} ${rights}`);

describe('AttachDBConnector', () => {
  const deviceSize = async () => fake.volumes[0]?.size ?? 0;
  const connector = () => new AttachDBConnector({ db, deviceSize });

  test('connects, extends and disconnects', async () => {
    const device = await connector().connectVolume(connection);
    expect(device).toEqual({ type: 'block', path: join(deviceDir, 'os--volume-v1') });
    expect(await connector().getAllAvailableVolumes()).toEqual(['v1']);
    expect(attached()).toEqual(['os--volume-v1 rw']);

    await db.api().volumeUpdate('os--volume-v1', { size: 2 * GIB });
    expect(await connector().extendVolume(connection)).toBe(2 * GIB);

    await connector().disconnectVolume(connection, device);
    expect(attached()).toEqual([]);
    expect(await connector().getAllAvailableVolumes()).toEqual([]);
    expect(await db.get()).toEqual({});
  });

  test('connecting a second time gives the same device', async () => {
    const first = await connector().connectVolume(connection);
    expect(await connector().connectVolume(connection)).toEqual(first);
    expect(attached()).toHaveLength(1);
  });

  test('forces what stays open', async () => {
    await connector().connectVolume(connection);
    fake.open('os--volume-v1');
    await connector().disconnectVolume(connection);
    expect(attached()).toEqual([]);
    expect(fake.requests.at(-1)?.body).toMatchObject([{ force: true }]);
  });

  test('leaves attached what another service needs', async () => {
    await connector().connectVolume(connection);
    await db.add('nova-1', { volume: 'os--volume-v1', type: 'nova', id: 'nova-1', rights: 2 });
    fake.open('os--volume-v1');
    await connector().disconnectVolume(connection);
    expect(attached()).toEqual(['os--volume-v1 rw']);
    const reassigned = fake.requests.filter(({ method }) => method === 'POST');
    expect(reassigned.at(-1)?.body).toEqual([{ volume: 'os--volume-v1', rw: [42], force: false }]);
    expect(Object.keys(await db.get())).toEqual(['nova-1']);
  });

  test('connects many volumes at once', async () => {
    const paths = await Promise.all(
      ['v1', 'v2'].map((volume) => connector().connectVolume({ ...connection, volume })),
    );
    expect(paths.map(({ path }) => path)).toEqual([
      join(deviceDir, 'os--volume-v1'),
      join(deviceDir, 'os--volume-v2'),
    ]);
  });

  test('says that the cluster has no such volume', async () => {
    await expect(connector().connectVolume({ ...connection, volume: 'v9' })).rejects.toThrow(
      'no volume os--volume-v9',
    );
    expect(await db.get()).toEqual({});
  });
});

describe('GlobalIdConnector', () => {
  const deviceSize = async () => fake.volumes[0]?.size ?? 0;
  const connector = () =>
    new GlobalIdConnector({ host: db, byIdDir, byNameDir: deviceDir, retryDelay: 1, deviceSize });

  test('connects, extends and disconnects', async () => {
    const device = await connector().connectVolume({ ...connection, access_mode: 'ro' });
    expect(device).toEqual({ type: 'block', path: join(byIdDir, 'a.b.c') });
    expect(attached()).toEqual(['os--volume-v1 ro']);
    // The fake makes links with the names of volumes only.
    await symlink('/dev/null', device.path);
    expect(await connector().getAllAvailableVolumes()).toEqual(['v1']);

    await db.api().volumeUpdate('os--volume-v1', { size: 2 * GIB });
    expect(await connector().extendVolume(connection)).toBe(2 * GIB);

    await connector().disconnectVolume(connection, device);
    expect(attached()).toEqual([]);
    expect(await connector().getAllAvailableVolumes()).toEqual([]);
  });

  test('disconnects a volume that was renamed meanwhile', async () => {
    const device = await connector().connectVolume(connection);
    await db.api().volumeUpdate('os--volume-v1', { rename: 'os--volume-v3' });
    await connector().disconnectVolume(connection, device);
    expect(attached()).toEqual([]);
  });

  test('forces what stays open, after ten retries', async () => {
    const device = await connector().connectVolume(connection);
    fake.open('os--volume-v1');
    const before = fake.requests.length;
    await connector().disconnectVolume(connection, device);
    expect(attached()).toEqual([]);
    expect(fake.requests.length - before).toBe(11);
  });

  test('needs no force for what is closed in time', async () => {
    const device = await connector().connectVolume(connection);
    fake.failNext(
      'volumesReassignWait',
      { name: 'invalidParam', descr: "Volume 'os--volume-v1' is open at client 42." },
      2,
    );
    await connector().disconnectVolume(connection, device);
    expect(fake.requests.at(-1)?.body).toMatchObject({ reassign: [{ volume: '~a.b.c', force: false }] });
  });

  test('says that the cluster has no such volume', async () => {
    await expect(connector().connectVolume({ ...connection, volume: 'v9' })).rejects.toMatchObject({
      code: 'objectDoesNotExist',
    });
  });
});
