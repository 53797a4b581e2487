import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CALLS } from '../../src/api/calls.js';
import {
  Api,
  ApiArgumentError,
  type ApiCallOptions,
  ApiConnectionError,
  ApiError,
  ApiResponseError,
  type ReassignEntry,
} from '../../src/index.js';
import { failureOf } from './failure.js';
import { parts, type RawServer, rawServer, refuse, succeed } from './raw-server.js';

let data: unknown;
let server: RawServer;
beforeAll(async () => {
  server = await rawServer((socket, attempt) => succeed(data)(socket, attempt));
});
afterAll(() => server.close());
beforeEach(() => {
  data = undefined;
  server.requests.length = 0;
});

const client = (multiCluster?: boolean) => new Api({ port: server.port, auth: 'token', multiCluster });

interface Case {
  call: keyof typeof CALLS;
  run(api: Api, options?: ApiCallOptions): Promise<unknown>;
  method: 'GET' | 'POST';
  path: string;
  body?: string;
  multi: boolean;
  data: unknown;
}

const OK = { ok: true, generation: 5 };
const CASES: Case[] = [
  {
    call: 'attachmentsList',
    run: (api, options) => api.attachmentsList(options),
    method: 'GET',
    path: 'AttachmentsList',
    multi: true,
    data: [{ volume: 'v', snapshot: false, client: 1, rights: 'rw', pos: 0, globalId: 'a.b.c' }],
  },
  {
    call: 'volumesList',
    run: (api, options) => api.volumesList(options),
    method: 'GET',
    path: 'VolumesList',
    multi: true,
    data: [{ name: 'v', size: 512 }],
  },
  {
    call: 'snapshotsList',
    run: (api, options) => api.snapshotsList(options),
    method: 'GET',
    path: 'SnapshotsList',
    multi: true,
    data: [],
  },
  {
    call: 'volumeList',
    run: (api, options) => api.volumeList('#v', options),
    method: 'GET',
    path: 'Volume/#v',
    multi: true,
    data: [{ name: '#v' }],
  },
  {
    call: 'snapshotList',
    run: (api, options) => api.snapshotList('*s@1', options),
    method: 'GET',
    path: 'Snapshot/*s@1',
    multi: true,
    data: [{ name: '*s@1' }],
  },
  {
    call: 'volumeInfo',
    run: (api, options) => api.volumeInfo('~a.b.c', options),
    method: 'GET',
    path: 'VolumeGetInfo/~a.b.c',
    multi: true,
    data: { name: 'v', disksCount: 3 },
  },
  {
    call: 'volumesReassign',
    run: (api, options) =>
      api.volumesReassign(
        [
          { volume: 'v', rw: [1] },
          { snapshot: 's', detach: 'all', force: true },
        ],
        options,
      ),
    method: 'POST',
    path: 'VolumesReassign',
    body: '[{"volume":"v","rw":[1],"force":false},{"snapshot":"s","detach":"all","force":true}]',
    multi: true,
    data: OK,
  },
  {
    call: 'volumesReassignWait',
    run: (api, options) =>
      api.volumesReassignWait({ reassign: [{ snapshot: 's', ro: [1, 2] }], attachTimeout: 0 }, options),
    method: 'POST',
    path: 'VolumesReassignWait',
    body: '{"reassign":[{"snapshot":"s","ro":[1,2],"force":false}],"attachTimeout":0}',
    multi: true,
    data: OK,
  },
  {
    call: 'volumeCreate',
    run: (api, options) => api.volumeCreate({ name: 'v', size: 512, tags: { virt: 'жълт' } }, options),
    method: 'POST',
    path: 'VolumeCreate',
    body: '{"name":"v","size":512,"tags":{"virt":"жълт"}}',
    multi: true,
    data: { ...OK, globalId: 'a.b.c' },
  },
  {
    call: 'volumeUpdate',
    run: (api, options) => api.volumeUpdate('v', { rename: 'w', bw: '-', shrinkOk: false }, options),
    method: 'POST',
    path: 'VolumeUpdate/v',
    body: '{"rename":"w","bw":"-","shrinkOk":false}',
    multi: true,
    data: OK,
  },
  {
    call: 'volumeRevert',
    run: (api, options) => api.volumeRevert('v', { toSnapshot: 's', revertSize: true }, options),
    method: 'POST',
    path: 'VolumeRevert/v',
    body: '{"toSnapshot":"s","revertSize":true}',
    multi: true,
    data: OK,
  },
  {
    call: 'volumeDelete',
    run: (api, options) => api.volumeDelete('v', options),
    method: 'POST',
    path: 'VolumeDelete/v',
    body: '',
    multi: true,
    data: OK,
  },
  {
    call: 'snapshotCreate',
    run: (api, options) => api.snapshotCreate('v', { name: 's', deleteAfter: 60 }, options),
    method: 'POST',
    path: 'VolumeSnapshot/v',
    body: '{"name":"s","deleteAfter":60}',
    multi: true,
    data: { ...OK, snapshotGlobalId: 'a.b.c' },
  },
  {
    call: 'snapshotDelete',
    run: (api, options) => api.snapshotDelete('s', options),
    method: 'POST',
    path: 'SnapshotDelete/s',
    body: '',
    multi: true,
    data: OK,
  },
  {
    call: 'snapshotUpdate',
    run: (api, options) => api.snapshotUpdate('s', { bind: true }, options),
    method: 'POST',
    path: 'SnapshotUpdate/s',
    body: '{"bind":true}',
    multi: false,
    data: OK,
  },
  {
    call: 'disksList',
    run: (api, options) => api.disksList(options),
    method: 'GET',
    path: 'DisksList',
    multi: false,
    data: { 101: { id: 101 } },
  },
  {
    call: 'volumeTemplatesList',
    run: (api, options) => api.volumeTemplatesList(options),
    method: 'GET',
    path: 'VolumeTemplatesList',
    multi: false,
    data: [{ name: 't' }],
  },
  {
    call: 'iSCSIConfig',
    run: (api, options) => api.iSCSIConfig(options),
    method: 'GET',
    path: 'iSCSIConfig',
    multi: false,
    data: { iscsi: { targets: {} } },
  },
  {
    call: 'iSCSIConfigChange',
    run: (api, options) =>
      api.iSCSIConfigChange({ commands: [{ createTarget: { volumeName: 'v' } }] }, options),
    method: 'POST',
    path: 'iSCSIConfig',
    body: '{"commands":[{"createTarget":{"volumeName":"v"}}]}',
    multi: false,
    data: OK,
  },
];

test('these are all of the calls', () => {
  expect(CASES.map(({ call }) => call)).toEqual(Object.keys(CALLS));
  expect(CASES).toHaveLength(19);
});

describe.each(CASES)('$call', ({ run, method, path, body = '', multi, data: result }) => {
  const sent = () => server.requests.map((request) => parts(request));
  const expected = (prefix: string) => [
    {
      line: `${method} /ctrl/1.0/${prefix}${path} HTTP/1.1`,
      headers: [
        'Authorization: Storpool v1:token',
        'Connection: close',
        `Content-Length: ${Buffer.byteLength(body)}`,
        `Host: 127.0.0.1:${server.port}`,
      ],
      body,
    },
  ];

  test('sends exactly one request, and gives the data of the reply', async () => {
    data = result;
    expect(await run(client())).toEqual(result);
    expect(sent()).toEqual(expected(''));
  });

  test(`a multi-cluster client ${multi ? 'uses' : 'does not use'} the multi-cluster form`, async () => {
    data = result;
    expect(await run(client(true))).toEqual(result);
    expect(sent()).toEqual(expected(multi ? 'MultiCluster/' : ''));
  });

  test('has another cluster carry it out', async () => {
    data = result;
    await run(client(), { clusterName: 'c-2' });
    await run(client(true), { clusterName: 'c-2' });
    expect(sent()).toEqual([
      ...expected('RemoteCommand/c-2/'),
      ...expected(`RemoteCommand/c-2/${multi ? 'MultiCluster/' : ''}`),
    ]);
  });

  test('can be aborted beforehand', async () => {
    const reason = new Error('enough');
    await expect(run(client(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });

  test.each(['', '..', '../x', 'a/b', 'c\r\nX-Header: 1', '%2e', 'x'.repeat(10_000)])(
    'does not send anything to the cluster %j',
    async (clusterName) => {
      const error = await failureOf(run(client(), { clusterName }), ApiArgumentError);
      expect(error.code).toBe('EINVAL');
      expect(error.message).toContain('is not the name of a cluster');
      expect(server.requests).toEqual([]);
    },
  );
});

describe('the name of an object', () => {
  const named: [string, 'volume' | 'snapshot', (api: Api, name: string) => Promise<unknown>][] = [
    ['volumeList', 'volume', (api, name) => api.volumeList(name)],
    ['volumeInfo', 'volume', (api, name) => api.volumeInfo(name)],
    ['volumeUpdate', 'volume', (api, name) => api.volumeUpdate(name, {})],
    ['volumeRevert', 'volume', (api, name) => api.volumeRevert(name, { toSnapshot: 's' })],
    ['volumeDelete', 'volume', (api, name) => api.volumeDelete(name)],
    ['snapshotCreate', 'volume', (api, name) => api.snapshotCreate(name)],
    ['snapshotList', 'snapshot', (api, name) => api.snapshotList(name)],
    ['snapshotDelete', 'snapshot', (api, name) => api.snapshotDelete(name)],
    ['snapshotUpdate', 'snapshot', (api, name) => api.snapshotUpdate(name, {})],
  ];
  const hostile: unknown[] = [
    '',
    '.',
    '..',
    '../x',
    'a/b',
    'a\r\nX-Header: 1',
    '%2e',
    'a?b',
    'x'.repeat(10_000),
    undefined,
    null,
    5,
    ['v'],
  ];

  test.each(named)('%s rejects what is none, without a request', async (_label, kind, run) => {
    for (const name of hostile) {
      const error = await failureOf(run(client(), name as string), ApiArgumentError);
      expect(error.code).toBe('EINVAL');
      expect(error.message).toContain(`is not the name of a ${kind}`);
    }
    expect(server.requests).toEqual([]);
  });

  test.each(named)('%s takes __proto__ for the name that it is', async (_label, _kind, run) => {
    data = [{ name: '__proto__' }];
    await run(client(), '__proto__');
    expect(parts(server.requests[0]).line).toContain('/__proto__ HTTP/1.1');
  });

  test('a reassignment with a bad entry is not sent at all', async () => {
    const entries = [
      { volume: 'v', rw: [1] },
      { volume: '../x', rw: [1] },
    ] as ReassignEntry[];
    await failureOf(client().volumesReassign(entries), ApiArgumentError);
    await failureOf(client().volumesReassignWait({ reassign: entries }), ApiArgumentError);
    expect(server.requests).toEqual([]);
  });
});

test('a snapshot whose name the service makes up', async () => {
  data = { ok: true, autoName: '*1' };
  expect(await client().snapshotCreate('v')).toEqual(data);
  expect(parts(server.requests[0]).body).toBe('{}');
});

describe('results that are not what the call gives', () => {
  const lists = CASES.filter(({ call }) => 'listOf' in CALLS[call]);

  test('six calls give lists', () => expect(lists).toHaveLength(6));

  test.each(lists)('$call: no list', async ({ run, path }) => {
    data = { name: 'v' };
    const error = await failureOf(run(client()), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      message: `GET ${path}: the reply's data is not a list`,
    });
  });

  test.each(lists)('$call: an entry without a name', async ({ call, run, path }) => {
    data = [{ size: 1 }];
    const member = call === 'attachmentsList' ? 'volume' : 'name';
    const error = await failureOf(run(client()), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      message: `GET ${path}: the reply's data has an entry without a "${member}" (entry 0)`,
    });
  });
});

describe('errors name the call', () => {
  test('a refusal', async () => {
    await using refusing = await rawServer(refuse(404, { name: 'objectDoesNotExist', descr: "no 'v'" }));
    const api = new Api({ port: refusing.port, auth: 'token' });
    const error = await failureOf(api.volumeList('v', { clusterName: 'c2' }), ApiError);
    expect(error).toMatchObject({
      status: 404,
      code: 'objectDoesNotExist',
      message: "GET Volume/v: objectDoesNotExist: no 'v'",
    });
  });

  test('a refused connection', async () => {
    const api = new Api({ port: 1, auth: 'token', transientRetries: 0 });
    const error = await failureOf(api.volumeDelete('v'), ApiConnectionError);
    expect(error.message).toMatch(/^POST \/ctrl\/1\.0\/VolumeDelete\/v at 127\.0\.0\.1:1: /u);
  });
});

describe('call()', () => {
  test('a GET carries its argument in the query', async () => {
    data = 'raw';
    const json = { a: [1, null, { b: null, c: 'x y&z#/жълт' }], d: undefined };
    expect(await client().call('GET', 'Any/Path', { json: { ...json, a: json.a.slice(2) } })).toBe('raw');
    expect(parts(server.requests[0])).toMatchObject({
      line: `GET /ctrl/1.0/Any/Path?json=${encodeURIComponent('{"a":[{"c":"x y&z#/жълт"}]}')} HTTP/1.1`,
      body: '',
    });
  });

  test.each([undefined, null])('without an argument (%s) there is neither query nor body', async (json) => {
    data = 1;
    await client().call('GET', 'X', { json });
    await client().call('POST', 'X', { json });
    await client().call('POST', 'X');
    expect(server.requests.map((request) => parts(request))).toMatchObject([
      { line: 'GET /ctrl/1.0/X HTTP/1.1', body: '' },
      { line: 'POST /ctrl/1.0/X HTTP/1.1', body: '' },
      { line: 'POST /ctrl/1.0/X HTTP/1.1', body: '' },
    ]);
  });

  test.each([false, 0, ''])('%j is an argument', async (json) => {
    data = 1;
    await client().call('POST', 'X', { json });
    expect(parts(server.requests[0]).body).toBe(JSON.stringify(json));
  });

  test('has a multi-cluster form only where it is said to', async () => {
    data = 1;
    await client(true).call('GET', 'X');
    await client(true).call('GET', 'X', { multiCluster: true });
    await client().call('GET', 'X', { multiCluster: true });
    await client(true).call('GET', 'X', { multiCluster: true, clusterName: 'c' });
    expect(server.requests.map((request) => parts(request).line)).toEqual([
      'GET /ctrl/1.0/X HTTP/1.1',
      'GET /ctrl/1.0/MultiCluster/X HTTP/1.1',
      'GET /ctrl/1.0/X HTTP/1.1',
      'GET /ctrl/1.0/RemoteCommand/c/MultiCluster/X HTTP/1.1',
    ]);
  });

  test('its result is not checked', async () => {
    data = { not: 'a list' };
    expect(await client().call('GET', 'VolumesList')).toEqual(data);
  });

  test.each(['DELETE', 'get', '', undefined, 'GET / HTTP/1.1\r\n'])(
    'the method %j is none',
    async (method) => {
      const error = await failureOf(client().call(method as 'GET', 'X'), ApiArgumentError);
      expect(error).toMatchObject({
        code: 'EINVAL',
        message: `${String(method)} is not a method of the API: use GET or POST`,
      });
      expect(server.requests).toEqual([]);
    },
  );

  test.each(['', '/X', '..', 'Volume/../X', 'Volume/%2e%2e/X', 'X?json=1', 'X\r\nY: 1', 'a b'])(
    'the path %j is none',
    async (path) => {
      const error = await failureOf(client().call('GET', path), ApiArgumentError);
      expect(error).toMatchObject({ name: 'ApiArgumentError', code: 'EINVAL' });
      expect(error.message).toContain('is not the path of an API call');
      expect(server.requests).toEqual([]);
    },
  );

  test.each([undefined, null, 5, {}, ['X']])('the path %j is no text', async (path) => {
    const error = await failureOf(client().call('GET', path as string), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(server.requests).toEqual([]);
  });
});
