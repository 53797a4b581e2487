// The driver on a fake cluster, which keeps volumes and snapshots as the service does.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AttachDB } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { CinderDriver } from './driver.js';

const GIB = 1024 ** 3;
const volume = { id: 'v1', size: 1 };
const snapshot = { id: 's1', volumeId: 'v1' };
const log = { warn: vi.fn() };

let dir: string;
let fake: FakeStorPool;
let db: AttachDB;
let driver: CinderDriver;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storpool-driver-'));
  const fname = join(dir, 'openstack-attach.json');
  const deviceDir = join(dir, 'storpool');
  await writeFile(fname, '{}');
  fake = await FakeStorPool.start({ templates: ['hdd', 'ssd'], deviceDir });
  db = new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config, detachRetryDelay: 1 });
  driver = new CinderDriver({ db, log, template: 'hdd' });
  log.warn.mockClear();
});

afterEach(async () => {
  await fake.close();
  await rm(dir, { recursive: true });
});

const find = (id: string) => fake.volumes.find(({ name }) => name === `os--volume-${id}`);

test('the life of a volume', async () => {
  await driver.createVolume(volume);
  expect(find('v1')).toMatchObject({ size: GIB, templateName: 'hdd' });

  await driver.createSnapshot(snapshot);
  expect(fake.snapshots).toMatchObject([{ name: 'os--snap--none--snapshot-s1', onVolume: 'os--volume-v1' }]);
  await driver.revertToSnapshot(volume, snapshot);

  await driver.createVolumeFromSnapshot({ id: 'v2', size: 2 }, snapshot);
  expect(find('v2')).toMatchObject({ size: 2 * GIB, parentName: 'os--snap--none--snapshot-s1' });

  await driver.extendVolume(volume, 3);
  expect(find('v1')?.size).toBe(3 * GIB);

  await driver.retype(volume, 'ssd');
  expect(find('v1')?.templateName).toBe('ssd');
});

test('a volume is attached for as long as its device is used', async () => {
  await driver.createVolume(volume);
  const used = await driver.withDevice(volume, async (path) => {
    expect(fake.attachments).toMatchObject([{ volume: 'os--volume-v1', client: 1, rights: 'rw' }]);
    return path;
  });
  expect(used).toBe(db.devicePath('os--volume-v1'));
  expect(fake.attachments).toEqual([]);
  expect(await db.get()).toEqual({});

  const copy = driver.withDevice(volume, () => Promise.reject(new Error('the image is too large')));
  await expect(copy).rejects.toThrow('too large');
  await expect(driver.withDevice({ id: 'v9' }, async () => undefined)).rejects.toMatchObject({
    code: 'ENOVOLUME',
  });
  expect(fake.attachments).toEqual([]);
  expect(await db.get()).toEqual({});
});

test('a volume that another service needs stays attached after its use', async () => {
  await driver.createVolume(volume);
  await driver.withDevice(volume, async () => {
    await db.attach('nova-1', { volume: 'os--volume-v1', rights: 2 });
  });
  expect(fake.attachments).toMatchObject([{ volume: 'os--volume-v1' }]);
  expect(Object.keys(await db.get())).toEqual(['nova-1']);
});

test('a clone has the template of its source, or its own', async () => {
  await driver.createVolume(volume);
  const { globalId } = find('v1') ?? {};
  await driver.createClonedVolume({ id: 'v2', size: 2 }, volume);
  await driver.createClonedVolume({ id: 'v3', size: 2, template: 'ssd' }, volume);
  expect(find('v2')).toMatchObject({ size: 2 * GIB, templateName: 'hdd' });
  expect(find('v3')).toMatchObject({ size: 2 * GIB, templateName: 'ssd' });
  expect(find('v2')?.globalId).not.toBe(globalId);
});

test('volumes and snapshots that are attached somewhere are detached and deleted', async () => {
  await driver.createVolume(volume);
  await driver.createSnapshot(snapshot);
  await db.api().volumesReassign([
    { volume: 'os--volume-v1', rw: [1], ro: [2] },
    { snapshot: 'os--snap--none--snapshot-s1', ro: [1] },
  ]);
  fake.open('os--volume-v1', 2);
  await expect(driver.deleteVolume(volume)).rejects.toMatchObject({ code: 'busy' });
  expect(fake.attachments).toHaveLength(3);

  fake.release('os--volume-v1', 2);
  await driver.deleteVolume(volume);
  await driver.deleteSnapshot(snapshot);
  expect([...fake.volumes, ...fake.snapshots, ...fake.attachments]).toEqual([]);
});

test('volumes and snapshots that nobody has attached are deleted', async () => {
  await driver.createVolume(volume);
  await driver.createSnapshot(snapshot);
  await driver.deleteVolume(volume);
  await driver.deleteSnapshot(snapshot);
  expect([...fake.volumes, ...fake.snapshots]).toEqual([]);
});

test('what is gone is deleted', async () => {
  await driver.deleteVolume(volume);
  await driver.deleteSnapshot(snapshot);
  expect(fake.requests).toHaveLength(2);
});

test('after a migration two volumes change their names, and keep their contents', async () => {
  await driver.createVolume(volume);
  await driver.createVolume({ id: 'm1', size: 1 });
  const before = [find('v1')?.globalId, find('m1')?.globalId];
  expect(await driver.updateMigratedVolume(volume, { id: 'm1' })).toEqual({ nameId: null });
  expect([find('m1')?.globalId, find('v1')?.globalId]).toEqual(before);
});

test('after a migration from elsewhere the volume gets the name of the original', async () => {
  await driver.createVolume({ id: 'm1', size: 1 });
  expect(await driver.updateMigratedVolume(volume, { id: 'm1' })).toEqual({ nameId: null });
  expect(fake.volumes.map(({ name }) => name)).toEqual(['os--volume-v1']);
});

test('a swap of names that is refused leaves both as they are', async () => {
  await driver.createVolume(volume);
  for (const id of ['m1', 'm1--temp--mig']) await driver.createVolume({ id, size: 1 });
  const before = structuredClone(fake.volumes);
  expect(await driver.updateMigratedVolume(volume, { id: 'm1' })).toEqual({ nameId: 'm1' });
  expect(fake.volumes).toEqual(before);
  expect(log.warn).toHaveBeenCalledOnce();
});

test('what the API refuses is thrown as it is', async () => {
  await driver.createVolume(volume);
  await expect(driver.createVolume(volume)).rejects.toMatchObject({ code: 'objectExists' });
  await expect(driver.retype(volume, 'nvme')).rejects.toMatchObject({ code: 'objectDoesNotExist' });
  await expect(driver.extendVolume(volume, 0.5)).rejects.toMatchObject({ code: 'invalidParam' });
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(driver.extendVolume(volume, 2, { signal })).rejects.toThrow('enough');
});
