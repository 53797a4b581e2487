// The connector against an api object whose calls are mocks: what is sent, in which order, and what errors do.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, ApiError, AttachDB } from 'storpool-spopenstack';
import { fakeDevice } from 'storpool-spopenstack/testing';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type ConnectionProperties, Connector } from './connector.js';

const CLIENT = 42;
const NAME = 'os--volume-v1';
const connection: ConnectionProperties = { volume: 'v1', client_id: CLIENT, access_mode: 'rw' };
const attachment = { volume: NAME, snapshot: false, client: CLIENT, rights: 'rw' } as const;
const open = (name = 'busy') =>
  new ApiError(409, { error: { name, descr: `Volume '${NAME}' is open at client ${CLIENT}.` } });

let dir: string;
let deviceDir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storpool-connector-'));
  deviceDir = join(dir, 'storpool');
});

afterEach(() => rm(dir, { recursive: true }));

function mockApi() {
  return {
    attachmentsList: vi.fn<Api['attachmentsList']>().mockResolvedValue([]),
    volumesList: vi.fn<Api['volumesList']>().mockResolvedValue([{ name: NAME }]),
    snapshotsList: vi.fn<Api['snapshotsList']>().mockResolvedValue([]),
    volumeList: vi.fn<Api['volumeList']>().mockResolvedValue([{ name: NAME, size: 2048 }]),
    volumesReassign: vi.fn<Api['volumesReassign']>().mockResolvedValue({ ok: true }),
  };
}

async function setUp({ hasDevice = true } = {}) {
  const api = mockApi();
  const fname = join(dir, 'openstack-attach.json');
  await writeFile(fname, '{}');
  if (hasDevice) fakeDevice(deviceDir, NAME);
  const log = { warn: vi.fn() };
  const overrideConfig = { SP_OURID: String(CLIENT) };
  const times = { deviceTimeout: 0, detachRetryDelay: 0 };
  const db = new AttachDB({ log, fname, deviceDir, overrideConfig, api, ...times });
  const deviceSize = vi.fn<(path: string) => Promise<number>>().mockResolvedValue(2048);
  return { api, db, log, deviceSize, connector: new Connector({ db, deviceSize }) };
}

test.each([
  ['rw', 2, { volume: NAME, rw: [CLIENT] }],
  ['ro', 1, { volume: NAME, ro: [CLIENT] }],
] as const)('connectVolume(%s) attaches, with a request in the cache', async (access_mode, rights, entry) => {
  const { connector, api, db } = await setUp();
  const device = await connector.connectVolume({ ...connection, access_mode });
  expect(device).toEqual({ type: 'block', path: join(deviceDir, NAME) });
  expect(api.volumesReassign).toHaveBeenCalledExactlyOnceWith([entry]);
  const request = { volume: NAME, type: 'brick', id: 'brick-42-v1', rights, since: expect.any(String) };
  expect(await db.get()).toEqual({ 'brick-42-v1': request });
});

test('connectVolume() returns the path by global ID where there is one', async () => {
  const { connector, api } = await setUp();
  api.volumeList.mockResolvedValue([{ name: NAME, globalId: 'a.b.c' }]);
  expect(await connector.connectVolume(connection)).toEqual({
    type: 'block',
    path: join(dir, 'storpool-byid', 'a.b.c'),
  });
});

test('connectVolume() throws if the cluster has no such volume', async () => {
  const { connector, api, db } = await setUp();
  api.volumeList.mockRejectedValue(new ApiError(404, { error: { name: 'objectDoesNotExist' } }));
  await expect(connector.connectVolume(connection)).rejects.toThrow(`no volume ${NAME}`);
  expect(await db.get()).toEqual({});
});

test('disconnectVolume() undoes a connectVolume() that found no device', async () => {
  const { connector, api, db } = await setUp({ hasDevice: false });
  await expect(connector.connectVolume(connection)).rejects.toMatchObject({ code: 'ENODEVICE' });
  expect(Object.keys(await db.get())).toEqual(['brick-42-v1']);
  api.attachmentsList.mockResolvedValue([attachment]);
  await connector.disconnectVolume(connection);
  expect(await db.get()).toEqual({});
});

test('disconnectVolume() detaches, and removes the request', async () => {
  const { connector, api, db } = await setUp();
  await connector.connectVolume(connection);
  api.attachmentsList.mockResolvedValue([attachment]);
  api.volumesReassign.mockClear().mockRejectedValueOnce(open()).mockRejectedValueOnce(open('invalidParam'));
  await connector.disconnectVolume(connection);
  expect(api.volumesReassign.mock.calls).toEqual(
    Array(3).fill([[{ volume: NAME, detach: [CLIENT], force: false }]]),
  );
  expect(await db.get()).toEqual({});
});

test('disconnectVolume() keeps the request when it cannot detach', async () => {
  const { connector, api, db } = await setUp();
  await connector.connectVolume(connection);
  api.attachmentsList.mockResolvedValue([attachment]);
  api.volumesReassign.mockRejectedValueOnce(new ApiError(500, { error: { name: 'internalError' } }));
  await expect(connector.disconnectVolume(connection)).rejects.toThrow(ApiError);
  expect(Object.keys(await db.get())).toEqual(['brick-42-v1']);
});

test('disconnectVolume() leaves a volume alone that was not connected', async () => {
  const { connector, api, log } = await setUp();
  await connector.disconnectVolume(connection);
  expect(api.volumesReassign).not.toHaveBeenCalled();
  expect(log.warn).toHaveBeenCalledOnce();
});

test('getVolumePaths() is the path of the connection, or that of the name', async () => {
  const { connector } = await setUp();
  expect(connector.getVolumePaths(connection)).toEqual([join(deviceDir, NAME)]);
  expect(connector.getVolumePaths({ ...connection, device_path: '/dev/x' })).toEqual(['/dev/x']);
});

test('extendVolume() waits for the new size', async () => {
  const { connector, deviceSize } = await setUp();
  deviceSize.mockResolvedValueOnce(1024);
  expect(await connector.extendVolume(connection)).toBe(2048);
  expect(deviceSize.mock.calls[0]?.[0]).toBe(join(deviceDir, NAME));
});

test('extendVolume() returns the size that the device has after a second', async () => {
  const { connector, deviceSize } = await setUp();
  deviceSize.mockResolvedValue(1024);
  expect(await connector.extendVolume(connection)).toBe(1024);
  expect(deviceSize).toHaveBeenCalledTimes(11);
});

test('a signal ends each call', async () => {
  const { connector, db } = await setUp();
  const signal = AbortSignal.abort(new Error('enough'));
  await expect(connector.connectVolume(connection, { signal })).rejects.toThrow('enough');
  await expect(connector.disconnectVolume(connection, null, { signal })).rejects.toThrow('enough');
  await expect(connector.extendVolume(connection, { signal })).rejects.toThrow('enough');
  expect(await db.get()).toEqual({});
});

test.each([
  [{ volume: '' }, 'names no volume'],
  [{ client_id: '1' }, 'names no client_id'],
  [{ access_mode: 'wr' }, 'access_mode of the connection is wr'],
])('connectVolume() refuses a connection with %o', async (wrong, message) => {
  const { connector } = await setUp();
  const given = { ...connection, ...wrong } as ConnectionProperties;
  await expect(connector.connectVolume(given)).rejects.toThrow(message);
});
