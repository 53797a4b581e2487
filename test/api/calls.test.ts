import { describe, expect, test } from 'vitest';
import { CALLS } from '../../src/api/calls.js';
import { type Api, ApiArgumentError, type ApiCallOptions, ApiResponseError } from '../../src/index.js';
import recorded from '../vectors/calls.json' with { type: 'json' };
import { useService } from './answering-service.js';
import { failureOf } from './failure.js';
import { parts } from './raw-server.js';

/** Each call: its arguments, what goes over the wire, and the data that comes back. */
const CASES = recorded.map(({ call, args, ...rest }) => ({
  call: call as keyof typeof CALLS,
  run(api: Api, options?: ApiCallOptions): Promise<unknown> {
    const made = api[call as keyof typeof CALLS] as (...args: unknown[]) => Promise<unknown>;
    return made.call(api, ...args.map((arg) => arg ?? undefined), options);
  },
  ...rest,
}));

const OK = { ok: true, generation: 5 };
const service = useService();

test('these are all of the calls', () => {
  expect(CASES.map(({ call }) => call)).toEqual(Object.keys(CALLS));
  expect(CASES).toHaveLength(37);
});

describe.each(CASES)('$call', ({ run, method, path, body = '', multi, data: result }) => {
  const sent = () => service.requests.map((request) => parts(request));
  const expected = (prefix: string) => [
    {
      line: `${method} /ctrl/1.0/${prefix}${path} HTTP/1.1`,
      headers: [
        'Authorization: Storpool v1:token',
        'Connection: close',
        `Content-Length: ${Buffer.byteLength(body)}`,
        `Host: 127.0.0.1:${service.port}`,
      ],
      body,
    },
  ];

  test('sends exactly one request, and gives the data of the reply', async () => {
    service.data = result;
    expect(await run(service.client())).toEqual(result);
    expect(sent()).toEqual(expected(''));
  });

  test(`a multi-cluster client ${multi ? 'uses' : 'does not use'} the multi-cluster form`, async () => {
    service.data = result;
    expect(await run(service.client(true))).toEqual(result);
    expect(sent()).toEqual(expected(multi ? 'MultiCluster/' : ''));
  });

  test('has another cluster carry it out', async () => {
    service.data = result;
    await run(service.client(), { clusterName: 'c-2' });
    await run(service.client(true), { clusterName: 'c-2' });
    expect(sent()).toEqual([
      ...expected('RemoteCommand/c-2/'),
      ...expected(`RemoteCommand/c-2/${multi ? 'MultiCluster/' : ''}`),
    ]);
  });

  test('can be aborted beforehand', async () => {
    const reason = new Error('enough');
    await expect(run(service.client(), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(service.requests).toEqual([]);
  });

  test.each(['', '..', '../x', 'a/b', 'c\r\nX-Header: 1', '%2e', 'x'.repeat(10_000)])(
    'does not send anything to the cluster %j',
    async (clusterName) => {
      const error = await failureOf(run(service.client(), { clusterName }), ApiArgumentError);
      expect(error.code).toBe('EINVAL');
      expect(error.message).toContain('is not a valid cluster name');
      expect(service.requests).toEqual([]);
    },
  );
});

describe('results that are not what the call gives', () => {
  const lists = CASES.filter(({ call }) => 'listOf' in CALLS[call]);

  test('eight calls give lists', () => expect(lists).toHaveLength(8));

  test.each(lists)('$call: no list', async ({ run, path }) => {
    service.data = { name: 'v' };
    const error = await failureOf(run(service.client()), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      message: `GET ${path}: the reply's data is not a list`,
    });
  });

  test.each(lists)('$call: an entry without a name', async ({ call, run, path }) => {
    service.data = [{ size: 1 }];
    const member = call === 'attachmentsList' ? 'volume' : 'name';
    const error = await failureOf(run(service.client()), ApiResponseError);
    expect(error).toMatchObject({
      code: 'EBADREPLY',
      message: `GET ${path}: the reply's data has an entry without a "${member}" (entry 0)`,
    });
  });
});

describe('all clusters of a multi-cluster setup', () => {
  test.each([false, true])('are asked by a client with multiCluster %s', async (multiCluster) => {
    service.data = { clusters: [{ id: 'a.b', response: { data: [{ name: 'v' }] } }] };
    const api = service.client(multiCluster);
    expect(await api.volumesSpace({ allClusters: true })).toEqual(service.data);
    expect(await api.volumeTemplatesStatus({ allClusters: true, clusterName: 'c2' })).toEqual(service.data);
    expect(service.requests.map((request) => parts(request).line)).toEqual([
      'GET /ctrl/1.0/MultiCluster/AllClusters/VolumesSpace HTTP/1.1',
      'GET /ctrl/1.0/RemoteCommand/c2/MultiCluster/AllClusters/VolumeTemplatesStatus HTTP/1.1',
    ]);
  });
});

test('deleting a volume can detach it first', async () => {
  service.data = OK;
  await service.client(true).volumeDelete('v', { onAttached: 'detachForce', clusterName: 'c2' });
  expect(parts(service.requests[0])).toMatchObject({
    line: 'POST /ctrl/1.0/RemoteCommand/c2/MultiCluster/VolumeDelete/v HTTP/1.1',
    body: '{"onAttached":"detachForce"}',
  });
});

test('freezing a volume can say when to delete the snapshot', async () => {
  service.data = OK;
  await service.client().volumeFreeze('v', { deleteAfter: 60 });
  expect(parts(service.requests[0]).body).toBe('{"deleteAfter":60}');
});

test('mcMode is passed on', async () => {
  service.data = OK;
  await service.client(true).volumeUpdate('v', { mcMode: 'x' });
  await service.client(true).volumesReassign([{ volume: 'v', rw: [1], mcMode: 'x' }]);
  expect(service.requests.map((request) => parts(request).body)).toEqual([
    '{"mcMode":"x"}',
    '[{"volume":"v","rw":[1],"mcMode":"x","force":false}]',
  ]);
});
