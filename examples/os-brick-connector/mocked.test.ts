// The connectors against an api object whose calls are mocks: what is sent, in which order, and what errors do.
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Api, ApiError, AttachDB } from 'storpool-spopenstack';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AttachDBConnector } from './attach-db-connector.js';
import type { ConnectionProperties } from './connector.js';
import { GlobalIdConnector } from './global-id-connector.js';

const CLIENT = 42;
const NAME = 'os--volume-v1';
const GLOBAL_ID = 'a.b.c';
const connection: ConnectionProperties = { volume: 'v1', client_id: CLIENT, access_mode: 'rw' };
const attachment = {
  volume: NAME,
  snapshot: false,
  client: CLIENT,
  rights: 'rw',
  globalId: GLOBAL_ID,
} as const;
const open = (name = 'busy') =>
  new ApiError(409, { error: { name, descr: `Volume '${NAME}' is open at client ${CLIENT}.` } });

let dir: string;
let byIdDir: string;
let deviceDir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'storpool-connector-'));
  byIdDir = join(dir, 'storpool-byid');
  deviceDir = join(dir, 'storpool');
  await mkdir(byIdDir);
  await mkdir(deviceDir);
});

afterEach(() => rm(dir, { recursive: true }));

function mockApi() {
  return {
    attachmentsList: vi.fn<Api['attachmentsList']>().mockResolvedValue([]),
    volumesList: vi.fn<Api['volumesList']>().mockResolvedValue([{ name: NAME }]),
    snapshotsList: vi.fn<Api['snapshotsList']>().mockResolvedValue([]),
    volumeList: vi.fn<Api['volumeList']>().mockResolvedValue([{ name: NAME, size: 2048 }]),
    volumeInfo: vi.fn<Api['volumeInfo']>().mockResolvedValue({ name: NAME, size: 2048, globalId: GLOBAL_ID }),
    volumesReassign: vi.fn<Api['volumesReassign']>().mockResolvedValue({ ok: true }),
    volumesReassignWait: vi.fn<Api['volumesReassignWait']>().mockResolvedValue({ ok: true }),
  };
}

async function setUp({ clientId = String(CLIENT) } = {}) {
  const api = mockApi();
  const fname = join(dir, 'openstack-attach.json');
  await writeFile(fname, '{}');
  const log = { warn: vi.fn() };
  const db = new AttachDB({
    log,
    fname,
    deviceDir,
    deviceTimeout: 0,
    detachRetryDelay: 0,
    overrideConfig: { SP_OURID: clientId },
    api,
  });
  const deviceSize = vi.fn<(path: string) => Promise<number>>().mockResolvedValue(2048);
  const cached = new AttachDBConnector({ db, deviceSize });
  const byId = new GlobalIdConnector({ host: db, byIdDir, byNameDir: deviceDir, retryDelay: 0, deviceSize });
  return { api, db, log, deviceSize, cached, byId, device: (...path: string[]) => link(join(...path)) };
}

const link = (path: string) => symlink('/dev/null', path);

describe('AttachDBConnector', () => {
  test.each([
    ['rw', { volume: NAME, rw: [CLIENT] }],
    ['ro', { volume: NAME, ro: [CLIENT] }],
  ] as const)('connects %s, with a request in the cache', async (access_mode, entry) => {
    const t = await setUp();
    await t.device(deviceDir, NAME);
    expect(await t.cached.connectVolume({ ...connection, access_mode })).toEqual({
      type: 'block',
      path: join(deviceDir, NAME),
    });
    expect(t.api.volumesReassign).toHaveBeenCalledExactlyOnceWith([entry]);
    expect(await t.db.get()).toEqual({
      'brick-42-v1': {
        volume: NAME,
        type: 'brick',
        id: 'brick-42-v1',
        rights: access_mode === 'rw' ? 2 : 1,
        volsnap: false,
        since: expect.any(String),
      },
    });
  });

  test('disconnects, and takes the request out of the cache', async () => {
    const t = await setUp();
    await t.device(deviceDir, NAME);
    await t.cached.connectVolume(connection);
    t.api.attachmentsList.mockResolvedValue([attachment]);
    t.api.volumesReassign
      .mockClear()
      .mockRejectedValueOnce(open())
      .mockRejectedValueOnce(open('invalidParam'));
    await t.cached.disconnectVolume(connection);
    expect(t.api.volumesReassign.mock.calls).toEqual(
      Array(3).fill([[{ volume: NAME, detach: [CLIENT], force: false }]]),
    );
    expect(await t.db.get()).toEqual({});
  });

  test('keeps the request when it cannot detach', async () => {
    const t = await setUp();
    await t.device(deviceDir, NAME);
    await t.cached.connectVolume(connection);
    t.api.attachmentsList.mockResolvedValue([attachment]);
    t.api.volumesReassign.mockRejectedValueOnce(new ApiError(500, { error: { name: 'internalError' } }));
    await expect(t.cached.disconnectVolume(connection)).rejects.toThrow(ApiError);
    expect(Object.keys(await t.db.get())).toEqual(['brick-42-v1']);
  });

  test('leaves a volume alone that it has not connected', async () => {
    const t = await setUp();
    await t.cached.disconnectVolume(connection);
    expect(t.api.volumesReassign).not.toHaveBeenCalled();
    expect(t.log.warn).toHaveBeenCalledOnce();
  });

  test('says that the cluster has no such volume', async () => {
    const t = await setUp();
    t.api.volumeList.mockRejectedValue(new ApiError(404, { error: { name: 'objectDoesNotExist' } }));
    await expect(t.cached.connectVolume(connection)).rejects.toThrow(`no volume ${NAME}`);
    expect(await t.db.get()).toEqual({});
  });

  test('says that there is no device', async () => {
    const t = await setUp();
    await expect(t.cached.connectVolume(connection)).rejects.toMatchObject({ code: 'ENODEVICE' });
    expect(Object.keys(await t.db.get())).toEqual(['brick-42-v1']);
    t.api.attachmentsList.mockResolvedValue([attachment]);
    await t.cached.disconnectVolume(connection);
    expect(await t.db.get()).toEqual({});
  });

  test('lists the volumes that have a device', async () => {
    const t = await setUp();
    await t.device(deviceDir, NAME);
    await t.device(deviceDir, 'other--volume-v2');
    await writeFile(join(deviceDir, 'os--volume-no-link'), '');
    expect(await t.cached.getAllAvailableVolumes()).toEqual(['v1']);
    await rm(deviceDir, { recursive: true });
    expect(await t.cached.getAllAvailableVolumes()).toEqual([]);
  });

  test('waits for the new size', async () => {
    const t = await setUp();
    t.deviceSize.mockResolvedValueOnce(1024);
    expect(await t.cached.extendVolume(connection)).toBe(2048);
    expect(t.deviceSize).toHaveBeenCalledTimes(2);
    expect(t.deviceSize.mock.calls[0]?.[0]).toBe(join(deviceDir, NAME));
  });

  test('ends when it is aborted', async () => {
    const t = await setUp();
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(t.cached.connectVolume(connection, { signal })).rejects.toThrow('enough');
    await expect(t.cached.disconnectVolume(connection, null, { signal })).rejects.toThrow('enough');
    expect(await t.db.get()).toEqual({});
  });
});

describe('GlobalIdConnector', () => {
  const path = () => join(byIdDir, GLOBAL_ID);

  test.each([
    ['rw', { volume: NAME, rw: [CLIENT] }],
    ['ro', { volume: NAME, ro: [CLIENT] }],
  ] as const)('connects %s, with no request in the cache', async (access_mode, entry) => {
    const t = await setUp();
    expect(await t.byId.connectVolume({ ...connection, access_mode })).toEqual({
      type: 'block',
      path: path(),
    });
    expect(t.api.volumesReassignWait).toHaveBeenCalledExactlyOnceWith({ reassign: [entry] }, {});
    expect(t.api.volumeInfo).toHaveBeenCalledExactlyOnceWith(NAME, {});
    expect(await t.db.get()).toEqual({});
  });

  test.each(['busy', 'invalidParam'])('while it is open (%s), asks ten times before force', async (name) => {
    const t = await setUp();
    for (let time = 0; time < 10; time++) t.api.volumesReassignWait.mockRejectedValueOnce(open(name));
    await t.byId.disconnectVolume(connection, { type: 'block', path: path() });
    const sent = t.api.volumesReassignWait.mock.calls.map(([{ reassign }]) => reassign[0]);
    const entry = { volume: `~${GLOBAL_ID}`, detach: [CLIENT], force: false };
    expect(sent).toEqual([...Array(10).fill(entry), { ...entry, force: true }]);
  });

  test.each([
    ['busy', 'Volume is being moved.'],
    ['objectDoesNotExist', 'Volume is open at no client.'],
  ])('any other refusal (%s) is final', async (name, descr) => {
    const t = await setUp();
    t.api.volumesReassignWait.mockRejectedValue(new ApiError(409, { error: { name, descr } }));
    await expect(t.byId.disconnectVolume({ ...connection, device_path: path() })).rejects.toThrow(descr);
    expect(t.api.volumesReassignWait).toHaveBeenCalledOnce();
  });

  test('disconnects by name what an older driver has connected', async () => {
    const t = await setUp();
    await t.byId.disconnectVolume({ ...connection, device_path: join(deviceDir, NAME) });
    expect(t.api.volumesReassignWait.mock.calls[0]?.[0].reassign[0]?.volume).toBe(NAME);
  });

  test.each([
    [undefined, 'has a path'],
    ['/dev/sda', '/dev/sda is neither in'],
  ])('does not disconnect %s', async (device_path, message) => {
    const t = await setUp();
    const given = device_path === undefined ? connection : { ...connection, device_path };
    await expect(t.byId.disconnectVolume(given)).rejects.toThrow(message);
    expect(t.api.volumesReassignWait).not.toHaveBeenCalled();
  });

  test('lists the volumes of this host that have a device', async () => {
    const t = await setUp();
    expect(await t.byId.getAllAvailableVolumes()).toEqual([]);
    await t.device(byIdDir, GLOBAL_ID);
    t.api.attachmentsList.mockResolvedValue([
      attachment,
      { ...attachment, volume: 'os--volume-v2', globalId: 'a.b.d' },
      { ...attachment, volume: 'other--volume-v3' },
      { ...attachment, volume: 'os--volume-v4', client: 7 },
    ]);
    expect(await t.byId.getAllAvailableVolumes()).toEqual(['v1']);
  });

  test('gives the size that the device has in the end', async () => {
    const t = await setUp();
    t.deviceSize.mockResolvedValue(1024);
    expect(await t.byId.extendVolume(connection)).toBe(1024);
    expect(t.deviceSize).toHaveBeenCalledTimes(11);
  });

  test('ends when it is aborted while it waits', async () => {
    const t = await setUp();
    const byId = new GlobalIdConnector({ host: t.db, byIdDir, retryDelay: 60_000 });
    const controller = new AbortController();
    t.api.volumesReassignWait.mockImplementation(async () => {
      setImmediate(() => controller.abort(new Error('enough')));
      throw open();
    });
    const { signal } = controller;
    await expect(
      byId.disconnectVolume({ ...connection, device_path: path() }, null, { signal }),
    ).rejects.toThrow('enough');
    expect(t.api.volumesReassignWait).toHaveBeenCalledOnce();
  });

  test('says that this host has no client ID', async () => {
    const t = await setUp({ clientId: 'none' });
    await expect(t.byId.connectVolume(connection)).rejects.toThrow('SP_OURID');
  });

  test('says that the cluster gives no global ID', async () => {
    const t = await setUp();
    t.api.volumeInfo.mockResolvedValue({ name: NAME });
    await expect(t.byId.connectVolume(connection)).rejects.toThrow(`no global ID for ${NAME}`);
  });
});

describe.each(['cached', 'byId'] as const)('what both refuse (%s)', (which) => {
  test.each([
    [{ volume: '' }, 'names no volume'],
    [{ client_id: '1' }, 'names no client_id'],
    [{ access_mode: 'wr' }, 'access_mode of the connection is wr'],
  ])('a connection with %o', async (wrong, message) => {
    const t = await setUp();
    const given = { ...connection, ...wrong } as ConnectionProperties;
    await expect(t[which].connectVolume(given)).rejects.toThrow(message);
  });

  test('another path than the one of the volume', async () => {
    const t = await setUp();
    const path = which === 'cached' ? join(deviceDir, NAME) : join(byIdDir, GLOBAL_ID);
    expect(await t[which].getVolumePaths(connection)).toEqual([path]);
    expect(await t[which].getVolumePaths({ ...connection, device_path: path })).toEqual([path]);
    await expect(t[which].getVolumePaths({ ...connection, device_path: '/dev/sda' })).rejects.toThrow(
      `is ${path}, not /dev/sda`,
    );
  });
});
