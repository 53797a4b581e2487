import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import {
  Api,
  ApiError,
  AttachDB,
  type AttachDBApi,
  type AttachDBOptions,
  AttachError,
  type AttachRequest,
  SPConfig,
  SPConfigError,
  SPLockedJSONDB,
} from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
let fname: string;
let deviceDir: string;
const log = { warn: vi.fn(), debug: vi.fn() };
beforeEach(() => {
  fname = path('openstack-attach.json');
  deviceDir = path('dev');
  mkdirSync(deviceDir);
  writeFileSync(fname, '{}');
  log.warn.mockReset();
  log.debug.mockReset();
});

const settings = {
  SP_OURID: '1',
  SP_AUTH_TOKEN: '123',
  SP_API_HTTP_HOST: '127.0.0.1',
  SP_API_HTTP_PORT: '81',
};

/** A cluster that has everything and attaches nothing by itself. */
const mockApi = () => ({
  attachmentsList: vi.fn<AttachDBApi['attachmentsList']>().mockResolvedValue([]),
  volumesList: vi.fn().mockRejectedValue(new Error('not to be read')),
  snapshotsList: vi.fn().mockRejectedValue(new Error('not to be read')),
  volumeList: vi.fn(async (name: string) => [{ name }]),
  snapshotList: vi.fn(async (name: string) => [{ name }]),
  volumesReassign: vi.fn<AttachDBApi['volumesReassign']>().mockResolvedValue({}),
});

const make = (options: Partial<AttachDBOptions> = {}) =>
  new AttachDB({ log, fname, deviceDir, deviceTimeout: 20, overrideConfig: settings, ...options });

const request = (volume: string, changes: Partial<AttachRequest> = {}): AttachRequest => ({
  volume,
  rights: 2,
  volsnap: false,
  ...changes,
});

const cache = (): Record<string, AttachRequest> => JSON.parse(readFileSync(fname, 'utf8'));
const device = (name: string) => symlinkSync('/dev/null', path(`dev/${name}`));
const isOpen = (name = 'busy') => new ApiError(409, { error: { name, descr: 'Volume is open at client 1' } });

describe('construction', () => {
  test('needs a logger', () => {
    expect(() => new AttachDB({} as AttachDBOptions)).toThrow(/needs a logger: give \{ log \}/);
    expect(() => new AttachDB({ log: {} } as AttachDBOptions)).toThrow(TypeError);
  });

  test.each(['deviceTimeout', 'detachRetries', 'detachRetryDelay'] as const)('checks %s', (name) => {
    expect(() => make({ [name]: -1 })).toThrow(`${name} is -1`);
    expect(() => make({ [name]: Number.NaN })).toThrow(`${name} is NaN`);
  });

  test('reads nothing before it must', () => {
    expect(() => new AttachDB({ log, config: { file: path('missing.conf') } })).not.toThrow();
  });

  test('has the defaults of the reference', () => {
    expect(new AttachDB({ log }).fname).toBe('/var/spool/openstack-storpool/openstack-attach.json');
  });
});

describe('configuration', () => {
  test('is read once and kept', () => {
    writeFileSync(path('storpool.conf'), 'SP_OURID=7\nSP_AUTH_TOKEN=1\n');
    const db = new AttachDB({ log, config: { file: path('storpool.conf'), env: {} } });
    expect(db.config().get('SP_OURID')).toBe('7');
    writeFileSync(path('storpool.conf'), 'SP_OURID=8\n');
    expect(db.config().get('SP_OURID')).toBe('7');
    expect(db.config()).toBe(db.config());
  });

  test('may be given as it is', () => {
    const config = new SPConfig({ overrideConfig: settings });
    expect(new AttachDB({ log, config }).config()).toBe(config);
  });

  test('that is missing is an error when it is needed', () => {
    const db = new AttachDB({ log, config: { file: path('missing.conf') } });
    expect(() => db.config()).toThrow(SPConfigError);
    expect(() => db.api()).toThrow(/missing\.conf does not exist/);
  });

  test('makes the api once', () => {
    const db = new AttachDB({ log, overrideConfig: settings });
    expect(db.api()).toBeInstanceOf(Api);
    expect(db.api()).toBe(db.api());
  });

  test('an injected api is what api() gives', () => {
    const api = mockApi();
    expect(make({ api }).api()).toBe(api);
  });

  test.each([
    ['SP_API_HTTP_PORT', 'abc'],
    ['SP_API_HTTP_PORT', ''],
    ['SP_AUTH_TOKEN', ''],
  ])('%s=%j is an error that names it', async (key, value) => {
    await make().add('a', request('os--v'));
    await expect(make({ overrideConfig: { ...settings, [key]: value } }).sync('a')).rejects.toMatchObject({
      name: 'SPConfigError',
      message: expect.stringContaining(key),
    });
    expect(cache()).toEqual({ a: request('os--v') });
  });
});

describe('names', () => {
  const named = (prefix?: string) =>
    make({ overrideConfig: { ...settings, ...(prefix && { SP_OPENSTACK_VOLUME_PREFIX: prefix }) } });

  test('begin with os', () => {
    const db = named();
    expect(db.volumePrefix()).toBe('os');
    expect(db.volumeName('1')).toBe('os--volume-1');
    expect(db.volsnapName('1', '9')).toBe('os--volsnap-1--req-9');
    expect(db.snapshotName('vm', '1')).toBe('os--vm--none--snapshot-1');
    expect(db.snapshotName('vm', '1', null)).toBe('os--vm--none--snapshot-1');
    expect(db.snapshotName('vm', '1', 'more')).toBe('os--vm--more--snapshot-1');
    expect(db.snapshotName('vm', '1', '')).toBe('os--vm----snapshot-1');
  });

  test('or with the prefix of the configuration', () => {
    expect(named('lab').volumeName('1')).toBe('lab--volume-1');
  });
});

test('overrideConfig is what it was when it was given', () => {
  const overrideConfig = { ...settings };
  const db = make({ overrideConfig });
  overrideConfig.SP_OURID = '5';
  expect(db.clientId()).toBe(1);
});

test.each([5, 'abc', ['x'], null])('overrideConfig %j is refused', (overrideConfig) => {
  expect(() => make({ overrideConfig: overrideConfig as never }).config()).toThrowError(
    'overrideConfig must be an object',
  );
});

test('whoever detaches does not wait for the device of what stays attached', async () => {
  const api = mockApi();
  const attached = ['os--v', 'os--w'].map((volume) => {
    return { volume, snapshot: false, client: 1, rights: 'rw' as const };
  });
  api.attachmentsList.mockResolvedValue(attached);
  const db = make({ api, deviceTimeout: 60_000 });
  await db.add('a', request('os--v'));
  expect(await db.sync('a', 'os--w')).toMatchObject({ detached: 'os--w', attached: [] });
});

describe('SP_OURID', () => {
  test.each([undefined, '', 'abc', '0', '-1', '1.5', '99999999999999999999'])(
    '%j cannot sync',
    async (id) => {
      const { SP_OURID, ...rest } = settings;
      const db = make({
        overrideConfig: id === undefined ? rest : { ...rest, SP_OURID: id },
        api: mockApi(),
      });
      await db.add('a', request('os--v'));
      for (const attempt of [db.sync('a'), db.plan('a'), db.sync('nobody', 'os--v')]) {
        await expect(attempt).rejects.toMatchObject({
          name: 'AttachError',
          code: 'ENOCLIENTID',
          message: expect.stringMatching(/SP_OURID is .*in overrideConfig$/),
        });
      }
    },
  );

  test('is not needed for anything else', async () => {
    const { SP_OURID, ...rest } = settings;
    const db = make({ overrideConfig: rest });
    await db.add('a', request(db.volumeName('1')));
    expect(db.api()).toBeInstanceOf(Api);
    expect(await db.get()).toEqual({ a: request('os--volume-1') });
  });
});

describe('requests', () => {
  test('keep the members that others have put there', async () => {
    const db = make();
    const full = request('os--v', { id: 'a', type: 'nova', remove_on_detach: true, theirs: { x: 1 } });
    await db.add('a', full);
    expect(cache()).toEqual({ a: full });
  });

  test.each([
    [{ rights: 2 }, 'names no volume'],
    [{ volume: '', rights: 2 }, 'names no volume'],
    [{ volume: 'v' }, 'has the rights undefined'],
    [{ volume: 'v', rights: 'rw' }, 'has the rights "rw"'],
    [{ volume: 'v', rights: 3 }, 'has the rights 3'],
    [null, 'is not an object'],
    ['v', 'is not an object'],
    [[], 'is not an object'],
  ])('%j is refused', async (wrong, problem) => {
    const db = make({ api: mockApi() });
    await expect(db.add('a', wrong as unknown as AttachRequest)).rejects.toMatchObject({
      name: 'AttachError',
      code: 'EBADREQUEST',
      message: `Request a to be added ${problem}${problem.includes('rights') ? ' instead of 1 (read-only) or 2 (read/write)' : ''}; correct it or remove it`,
    });
    expect(cache()).toEqual({});
    await new SPLockedJSONDB(fname).add('b', wrong);
    await db.add('a', request('os--v'));
    await expect(db.sync('a')).rejects.toMatchObject({
      code: 'EBADREQUEST',
      message: expect.stringContaining(`Request b in ${fname} ${problem}`),
    });
    expect(db.api().attachmentsList).not.toHaveBeenCalled();
  });
});

describe('what is read', () => {
  test('nothing for a request that is unknown', async () => {
    const api = mockApi();
    const db = make({ api });
    await expect(db.sync('a')).rejects.toThrow(AttachError);
    await db.sync('a', 'os--v');
    await expect(db.sync('__proto__')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
    expect(api.attachmentsList).not.toHaveBeenCalled();
  });

  test('only the attachments when all is attached', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: false, client: 1, rights: 'rw' }]);
    device('os--v');
    const db = make({ api });
    await db.add('a', request('os--v'));
    expect(await db.sync('a')).toMatchObject({ attached: [] });
    expect(api.volumeList).not.toHaveBeenCalled();
    expect(api.volumesReassign).not.toHaveBeenCalled();
  });

  test('with a mock that lacks what is not needed', async () => {
    const { attachmentsList, volumeList, volumesReassign } = mockApi();
    const api = { attachmentsList, volumeList, volumesReassign } as unknown as AttachDBApi;
    const db = make({ api });
    await db.add('a', request('os--v'));
    expect(await db.sync('a')).toMatchObject({ attached: [{ volume: 'os--v' }] });
    await db.add('s', request('os--s', { volsnap: true, rights: 1 }));
    await expect(db.sync('s')).rejects.toThrow('snapshotsList is not a function');
  });

  test('of volumes and snapshots, only those that are to be attached', async () => {
    const api = mockApi();
    const db = make({ api });
    await db.add('a', request('os--v'));
    await db.add('s', request('os--s', { volsnap: true, rights: 1 }));
    await db.sync('a');
    expect(api.volumeList.mock.calls).toEqual([['os--v']]);
    expect(api.snapshotList.mock.calls).toEqual([['os--s']]);
  });

  test('the whole list for many, without asking for names that cannot be', async () => {
    const api = mockApi();
    const names = Array.from({ length: 80 }, (_, at) => `os--${at}`);
    api.volumesList.mockResolvedValue(names.map((name) => ({ name })));
    const db = make({ api });
    for (const name of [...names, 'os--../etc', 'os--a/b']) await db.add(`r${name}`, request(name));
    const { attached, staleRequests } = await db.sync('ros--1');
    expect(attached).toHaveLength(80);
    expect(staleRequests).toEqual(['ros--../etc', 'ros--a/b']);
    expect(api.volumesList).toHaveBeenCalledOnce();
    expect(api.volumeList).not.toHaveBeenCalled();
  });

  test('by name for some dozens, a few at a time', async () => {
    const api = mockApi();
    let now = 0;
    let most = 0;
    api.volumeList.mockImplementation(async (name) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      return name === 'os--7' ? [] : [{ name }];
    });
    const db = make({ api });
    for (let at = 0; at < 40; at++) await db.add(`r${at}`, request(`os--${at}`));
    const { attached, staleRequests } = await db.sync('r1');
    expect(attached).toHaveLength(39);
    expect(staleRequests).toEqual(['r7']);
    expect(most).toBe(16);
    expect(api.volumesList).not.toHaveBeenCalled();
  });

  test('an error while reading is raised, and nothing is changed', async () => {
    const api = mockApi();
    api.volumeList.mockRejectedValue(new ApiError(500, { error: { name: 'internalError', descr: 'oops' } }));
    const db = make({ api });
    await db.add('a', request('os--v'));
    await expect(db.sync('a')).rejects.toMatchObject({ code: 'internalError' });
    expect(api.volumesReassign).not.toHaveBeenCalled();
    expect(cache()).toEqual({ a: request('os--v') });
  });
});

describe('plan()', () => {
  test('shows what sync() would do, and changes nothing', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([
      { volume: 'os--x', snapshot: false, client: 1, rights: 'rw' },
      { volume: 'os--k', snapshot: false, client: 1, rights: 'ro' },
    ]);
    api.volumeList.mockImplementation(async (name) => (name === 'os--gone' ? [] : [{ name }]));
    const db = make({ api });
    await db.add('a', request('os--x'));
    await db.add('b', request('os--new'));
    await db.add('c', request('os--gone'));
    await db.add('d', request('os--k', { rights: 1 }));
    const before = cache();
    expect(await db.plan('a', 'os--x')).toEqual({
      attach: [{ volume: 'os--new', snapshot: false, rights: 2, requests: ['b'] }],
      alreadyAttached: [{ volume: 'os--k', snapshot: false, rights: 1, requests: ['d'] }],
      staleRequests: ['c'],
      detach: { volume: 'os--x', snapshot: false, neededBy: [] },
      unknownRequest: false,
    });
    expect(api.volumesReassign).not.toHaveBeenCalled();
    expect(cache()).toEqual(before);
  });

  test('of an unknown request', async () => {
    const db = make({ api: mockApi() });
    expect(await db.plan('a', 'os--v')).toMatchObject({ unknownRequest: true, attach: [], detach: null });
    expect(log.warn).not.toHaveBeenCalled();
    await expect(db.plan('a')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
  });
});

describe('devices (difference 3)', () => {
  test('are waited for after the lock is released, all at once', async () => {
    const api = mockApi();
    const db = make({ api, deviceTimeout: 5000 });
    await db.add('a', request('os--1'));
    await db.add('b', request('os--2'));
    const other = new SPLockedJSONDB(fname);
    let lockedMeanwhile = false;
    setTimeout(async () => {
      await other.withLock(() => {
        lockedMeanwhile = true;
      });
      device('os--2');
      device('os--1');
    }, 30);
    const { attached } = await db.sync('a');
    expect(lockedMeanwhile).toBe(true);
    expect(attached).toEqual([
      { volume: 'os--1', snapshot: false, rights: 2, device: path('dev/os--1') },
      { volume: 'os--2', snapshot: false, rights: 2, device: path('dev/os--2') },
    ]);
    expect(log.warn).not.toHaveBeenCalled();
  });

  test('that never come are a warning', async () => {
    const db = make({ api: mockApi() });
    await db.add('a', request('os--1'));
    const { attached } = await db.sync('a');
    expect(attached).toEqual([{ volume: 'os--1', snapshot: false, rights: 2, device: null }]);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/os--1 is attached, but .*dev\/os--1 did not appear within 20 ms/),
    );
  });

  test('of the own request is waited for though another process attached it', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--1', snapshot: false, client: 1, rights: 'rw' }]);
    const db = make({ api, deviceTimeout: 5000 });
    await db.add('a', request('os--1'));
    let there = false;
    setTimeout(() => {
      there = true;
      device('os--1');
    }, 30);
    await db.sync('a');
    expect(there).toBe(true);
    expect(log.debug).not.toHaveBeenCalled();
  });

  test('of the own request that never comes is told to the log', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--1', snapshot: false, client: 1, rights: 'rw' }]);
    const db = make({ api });
    await db.add('a', request('os--1'));
    await db.sync('a');
    expect(log.debug).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('os--1'));
    expect(log.warn).not.toHaveBeenCalled();
  });
});

describe('a volume that others need (difference 4)', () => {
  const shared = async (options: Partial<AttachDBOptions> = {}) => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: false, client: 1, rights: 'rw' }]);
    const db = make({ api, detachRetryDelay: 1, ...options });
    await db.add('a', request('os--v'));
    await db.add('b', request('os--v', { rights: 1 }));
    return { api, db };
  };

  test('is detached when it is idle', async () => {
    const { api, db } = await shared();
    expect(await db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: false, kept: null });
    expect(api.volumesReassign.mock.calls).toEqual([[[{ volume: 'os--v', detach: [1], force: false }]]]);
  });

  test('is never detached by force: it is kept, with a warning', async () => {
    const { api, db } = await shared({ detachRetries: 3 });
    api.volumesReassign.mockRejectedValue(isOpen());
    expect(await db.sync('a', 'os--v')).toEqual({
      attached: [],
      staleRequests: [],
      detached: null,
      forced: false,
      kept: { volume: 'os--v', neededBy: ['b'] },
    });
    expect(api.volumesReassign).toHaveBeenCalledTimes(4);
    for (const [[entry]] of api.volumesReassign.mock.calls) expect(entry?.force).toBe(false);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/os--v stays attached.*needed by b/),
    );
  });

  test('is detached by force with forceShared, as the reference does', async () => {
    const { api, db } = await shared({ forceShared: true, detachRetries: 1 });
    api.volumesReassign.mockRejectedValueOnce(isOpen());
    expect(await db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: true, kept: null });
    expect(api.volumesReassign.mock.lastCall).toEqual([[{ volume: 'os--v', detach: [1], force: true }]]);
  });
});

describe('errors of the cluster', () => {
  test('one that stops attaching leaves stale requests for the next time', async () => {
    const api = mockApi();
    api.volumeList.mockImplementation(async (name) => (name === 'os--gone' ? [] : [{ name }]));
    api.volumesReassign.mockRejectedValue(isOpen('invalidParam'));
    const db = make({ api });
    await db.add('gone', request('os--gone'));
    await db.add('a', request('os--v'));
    await expect(db.sync('a')).rejects.toMatchObject({ code: 'invalidParam' });
    expect(Object.keys(cache())).toEqual(['gone', 'a']);
  });

  test('busy even by force is raised', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: true, client: 1, rights: 'ro' }]);
    api.volumesReassign.mockRejectedValue(isOpen());
    const db = make({ api, detachRetries: 2, detachRetryDelay: 1 });
    await db.add('a', request('os--v', { volsnap: true, rights: 1 }));
    await expect(db.sync('a', 'os--v')).rejects.toMatchObject({ code: 'busy' });
    expect(api.volumesReassign.mock.calls.map(([[entry]]) => entry)).toEqual([
      { snapshot: 'os--v', detach: [1], force: false },
      { snapshot: 'os--v', detach: [1], force: false },
      { snapshot: 'os--v', detach: [1], force: true },
    ]);
  });

  test.each([
    ['is HTML', 'garbage' as const, 'ENOTHTTP'],
    ['is reset', 'reset' as const, 'ECONNRESET'],
  ])('an answer that %s leaves the cache as it is', async (_what, failure, code) => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    fake.failNext('attachmentsList', failure);
    const config = new SPConfig({ overrideConfig: fake.config });
    const db = make({ overrideConfig: fake.config, api: Api.fromConfig(config, { transientRetries: 0 }) });
    await db.add('a', request('os--v'));
    await expect(db.sync('a')).rejects.toMatchObject({ code });
    expect(cache()).toEqual({ a: request('os--v') });
  });
});

describe('a lock that is lost', () => {
  test('changes nothing more in the cluster', async () => {
    const { rmdirSync, mkdirSync: mkdir } = await import('node:fs');
    const api = mockApi();
    const db = make({ api, lock: { kernelLock: 'off', stale: 2000 } });
    await db.add('a', request('os--1'));
    await db.add('b', request('os--2'));
    api.volumesReassign.mockImplementationOnce(async () => {
      rmdirSync(`${fname}.lock`);
      mkdir(path('other'));
      mkdir(`${fname}.lock`);
    });
    await expect(db.sync('a')).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(api.volumesReassign).toHaveBeenCalledOnce();
  });
});

describe('an AbortSignal', () => {
  const stop = new Error('shutting down');

  test('ends the wait for the lock', async () => {
    const db = make({ api: mockApi() });
    await db.withLock(async () => {
      const other = make({ api: mockApi() });
      await expect(other.sync('a', null, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
    });
  });

  test('goes to every call of the api, and ends the wait between the attempts', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: false, client: 1, rights: 'rw' }]);
    const controller = new AbortController();
    const { signal } = controller;
    const db = make({ api, detachRetryDelay: 60_000 });
    await db.add('a', request('os--v'));
    await db.add('b', request('os--w'));
    api.volumesReassign.mockImplementation(async ([entry]) => {
      if (entry?.detach) {
        setTimeout(() => controller.abort(stop), 10);
        throw isOpen();
      }
    });
    await expect(db.sync('a', 'os--v', { signal })).rejects.toBe(stop);
    expect(api.attachmentsList).toHaveBeenCalledWith({ signal });
    expect(api.volumeList).toHaveBeenCalledWith('os--w', { signal });
    expect(api.volumesReassign).toHaveBeenCalledWith([{ volume: 'os--w', rw: [1] }], { signal });
  });

  test('ends the wait for devices', async () => {
    const db = make({ api: mockApi(), deviceTimeout: 60_000 });
    await db.add('a', request('os--v'));
    const controller = new AbortController();
    setTimeout(() => controller.abort(stop), 50);
    await expect(db.sync('a', null, { signal: controller.signal })).rejects.toBe(stop);
  });
});

test('a request that is not cached is told of before anything is made of the others', async () => {
  writeFileSync(fname, JSON.stringify({ odd: { volume: 'os--1', rights: 3 } }));
  const db = make({ api: mockApi() });
  expect(await db.sync('nobody', 'os--1')).toMatchObject({ detached: null });
  await expect(db.sync('nobody')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
  await expect(db.sync('odd')).rejects.toMatchObject({ code: 'EBADREQUEST' });
});

test('with a volume that is no more, all requests for it leave the cache, that of the call too', async () => {
  writeFileSync(
    fname,
    JSON.stringify({ a: request('os--gone'), b: request('os--gone'), c: request('os--1') }),
  );
  const api = mockApi();
  api.volumeList.mockImplementation(async (name: string) => (name === 'os--gone' ? [] : [{ name }]));
  expect(await make({ api }).sync('a', 'os--gone')).toMatchObject({ staleRequests: ['a', 'b'] });
  expect(Object.keys(cache())).toEqual(['c']);
});
