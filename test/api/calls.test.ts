import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { CALLS } from '../../src/api/calls.js';
import { Api, ApiArgumentError, type ApiCallOptions, ApiResponseError } from '../../src/index.js';
import { failureOf } from './failure.js';
import { parts, type RawServer, rawServer, succeed } from './raw-server.js';

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
