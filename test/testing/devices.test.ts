import { existsSync, mkdirSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AttachDB, type AttachDBApi } from '../../src/index.js';
import { FakeStorPool, fakeDevice } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';
import { client } from './fake.js';

const path = useTempDir();
let deviceDir: string;
beforeEach(() => {
  deviceDir = path('dev/storpool');
});
afterEach(() => {
  vi.useRealTimers();
});
const devices = () => (existsSync(deviceDir) ? readdirSync(deviceDir).sort() : undefined);

test('links come and go with the attachments of this host', async () => {
  const fake = await FakeStorPool.start({
    volumes: ['v', 'w'],
    snapshots: ['s'],
    attachments: [{ volume: 'v' }, { volume: 'w', client: 2 }],
    deviceDir,
  });
  const api = client(fake);
  expect(devices()).toEqual(['v']);
  expect(readlinkSync(join(deviceDir, 'v'))).toBe('/dev/null');
  await api.volumesReassign([
    { volume: 'w', rw: [1] },
    { snapshot: 's', ro: [1, 2] },
  ]);
  expect(devices()).toEqual(['s', 'v', 'w']);
  await api.volumesReassign([
    { volume: 'v', detach: [1] },
    { snapshot: 's', detach: [2] },
  ]);
  expect(devices()).toEqual(['s', 'w']);
  await fake.close();
  expect(devices()).toEqual([]);
});

test('a volume that gets another name has another link', async () => {
  await using fake = await FakeStorPool.start({
    volumes: ['v'],
    attachments: [{ volume: 'v' }],
    deviceDir,
  });
  await client(fake).volumeUpdate('v', { rename: 'w' });
  expect(devices()).toEqual(['w']);
});

test('what somebody else left in its place gives way', async () => {
  await using fake = await FakeStorPool.start({
    volumes: ['v', 'w'],
    attachments: [{ volume: 'w' }],
    deviceDir,
  });
  writeFileSync(join(deviceDir, 'v'), 'left');
  await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
  expect(readlinkSync(join(deviceDir, 'v'))).toBe('/dev/null');
});

test('they come later when that is asked for', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await using fake = await FakeStorPool.start({ volumes: ['v'], deviceDir, deviceDelay: 1000 });
  await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
  vi.advanceTimersByTime(600);
  // Another change neither puts it off nor makes it come twice.
  await client(fake).volumesReassign([{ volume: 'v', ro: [1] }]);
  vi.advanceTimersByTime(399);
  expect(devices()).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(devices()).toEqual(['v']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a link that was still to come never comes after a detachment, nor after the end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const fake = await FakeStorPool.start({
    volumes: ['v', 'w', 'x'],
    attachments: [{ volume: 'w' }],
    deviceDir,
    deviceDelay: 1000,
  });
  await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
  await client(fake).volumesReassign([{ volume: 'v', detach: [1] }]);
  vi.advanceTimersByTime(5000);
  expect(devices()).toEqual(['w']);
  await client(fake).volumesReassign([{ volume: 'x', rw: [1] }]);
  await fake.close();
  vi.advanceTimersByTime(5000);
  expect(devices()).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

test('without a folder there are none', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['v'], attachments: [{ volume: 'v' }] });
  await client(fake).volumesReassign([{ volume: 'v', detach: [1] }]);
  expect(readdirSync(path())).toEqual([]);
});

test.each(['deviceDir', 'byIdDir'])('a %s that cannot be made is an error at once', async (option) => {
  writeFileSync(path('file'), '');
  const start = FakeStorPool.start({ [option]: path('file/dev'), deviceDelay: 1 });
  await expect(start).rejects.toMatchObject({ code: 'ENOTDIR' });
});

test('a folder that was removed is not made again', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  await using fake = await FakeStorPool.start({ volumes: ['v', 'w'], deviceDir, deviceDelay: 1000 });
  await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
  rmSync(deviceDir, { recursive: true });
  vi.advanceTimersByTime(1000);
  await client(fake).volumesReassign([{ volume: 'v', detach: [1] }]);
  expect(devices()).toBeUndefined();
  mkdirSync(deviceDir);
  await client(fake).volumesReassign([{ volume: 'w', rw: [1] }]);
  vi.advanceTimersByTime(1000);
  expect(devices()).toEqual(['w']);
});

test('fakeDevice() makes a device that attach() finds, and removes it', async () => {
  writeFileSync(path('cache.json'), '{}');
  const volumesReassign = vi.fn();
  const api = {
    attachmentsList: async () => [],
    volumesList: async () => [{ name: 'os--v' }],
    volumesReassign,
  };
  const overrideConfig = { SP_OURID: '1' };
  const options = { log: console, fname: path('cache.json'), overrideConfig, deviceDir, deviceTimeout: 0 };
  const db = new AttachDB({ ...options, api: api as unknown as AttachDBApi });
  const attach = () => db.attach('r', { volume: 'os--v', rights: 2 });
  const remove = fakeDevice(deviceDir, 'os--v');
  expect(readlinkSync(join(deviceDir, 'os--v'))).toBe('/dev/null');
  expect(await attach()).toMatchObject({ device: join(deviceDir, 'os--v') });
  remove();
  remove();
  expect(devices()).toEqual([]);
  await expect(attach()).rejects.toMatchObject({ code: 'ENODEVICE' });
});

test('fakeDevice() replaces what is there, and reports what it cannot make', () => {
  fakeDevice(deviceDir, 'v');
  fakeDevice(deviceDir, 'v');
  expect(devices()).toEqual(['v']);
  writeFileSync(path('file'), '');
  expect(() => fakeDevice(path('file/dev'), 'v')).toThrowError(expect.objectContaining({ code: 'ENOTDIR' }));
});
