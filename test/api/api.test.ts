import { describe, expect, test } from 'vitest';
import {
  Api,
  ApiArgumentError,
  ApiConnectionError,
  ApiError,
  type ApiOptions,
  type ReassignEntry,
} from '../../src/index.js';
import { useService } from './answering-service.js';
import { failureOf, thrownBy } from './failure.js';
import { parts, type RawReply, refuse, serve, server, succeed, useServer } from './raw-server.js';

const service = useService();

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
  const hostile = ['', '.', '..', '../x', 'a/b', 'a\r\nX-Header: 1', '%2e', 'a?b', undefined, null, 5, ['v']];

  test.each(named)('%s rejects what is none, without a request', async (_label, kind, run) => {
    for (const name of hostile) {
      const error = await failureOf(run(service.client(), name as string), ApiArgumentError);
      expect(error.code).toBe('EINVAL');
      expect(error.message).toContain(`is not a valid ${kind} name`);
    }
    expect(service.requests).toEqual([]);
  });

  test.each(named)('%s takes __proto__ for the name that it is', async (_label, _kind, run) => {
    service.data = [{ name: '__proto__' }];
    await run(service.client(), '__proto__');
    expect(parts(service.requests[0]).line).toContain('/__proto__ HTTP/1.1');
  });

  test('a reassignment with a bad entry is not sent at all', async () => {
    const entries = [
      { volume: 'v', rw: [1] },
      { volume: '../x', rw: [1] },
    ] as ReassignEntry[];
    await failureOf(service.client().volumesReassign(entries), ApiArgumentError);
    await failureOf(service.client().volumesReassignWait({ reassign: entries }), ApiArgumentError);
    expect(service.requests).toEqual([]);
  });
});

test('a snapshot whose name the service makes up', async () => {
  service.data = { ok: true, autoName: '*1' };
  expect(await service.client().snapshotCreate('v')).toEqual(service.data);
  expect(parts(service.requests[0]).body).toBe('{}');
});

describe('errors name the call', () => {
  useServer();
  test('a refusal', async () => {
    const { port } = await serve(refuse(404, { name: 'objectDoesNotExist', descr: "no 'v'" }));
    const api = new Api({ port, auth: 'token' });
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

describe('abort', () => {
  useServer();
  const setUp = async (reply: RawReply, transientSleep = () => 0) =>
    new Api({ port: (await serve(reply)).port, auth: 'token', transientSleep });

  test('during the request', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const api = await setUp(() => controller.abort(reason));
    await expect(api.volumesList({ signal: controller.signal })).rejects.toBe(reason);
    await expect.poll(() => server?.open.size).toBe(0);
    expect(server?.requests).toHaveLength(1);
  });

  test('during the wait before a retry', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const api = await setUp(
      (socket) => socket.resetAndDestroy(),
      () => {
        setTimeout(() => controller.abort(reason), 5);
        return 60_000;
      },
    );
    await expect(api.volumesList({ signal: controller.signal })).rejects.toBe(reason);
    expect(server?.requests).toHaveLength(1);
  });

  test('with a time-out of the caller', async () => {
    const api = await setUp(() => undefined);
    const error = await failureOf(api.volumesList({ signal: AbortSignal.timeout(10) }), DOMException);
    expect(error.name).toBe('TimeoutError');
  });

  test('one signal serves many calls, and gathers no listeners', async () => {
    const api = await setUp(succeed([]));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    for (let at = 0; at < 3; at++) await api.volumesList({ signal });
    expect(listeners).toBe(0);
  });
});

describe('mistakes of plain JavaScript', () => {
  const { signal } = new AbortController();
  const api = () => service.client() as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>;

  test.each<[string, string, unknown[], string]>([
    [
      'the signal for the options',
      'volumesList',
      [signal],
      'the options of volumesList() are a signal: give { signal }',
    ],
    [
      'null for the options',
      'volumesList',
      [null],
      'the options of volumesList() are an object, for example { signal }',
    ],
    [
      'a string for the options',
      'call',
      ['GET', 'X', 'json'],
      'the options of call() are an object, for example { signal }',
    ],
    [
      'a misspelled option',
      'volumesList',
      [{ clustername: 'x' }],
      'volumesList() has no option "clustername": it has signal, transientRetries, clusterName, timeout',
    ],
    [
      'an option of another call',
      'volumesList',
      [{ allClusters: true }],
      'volumesList() has no option "allClusters": it has signal, transientRetries, clusterName, timeout',
    ],
    [
      'a controller for a signal',
      'volumesList',
      [{ signal: new AbortController() }],
      'signal is an AbortController: give its signal, { signal: controller.signal }',
    ],
    ['no signal', 'volumesList', [{ signal: 'x' }], 'signal is "x": give an AbortSignal'],
    ['a name for an argument', 'volumeCreate', ['v'], 'volumeCreate: the argument is "v", not an object'],
    [
      'null for an argument',
      'volumeUpdate',
      ['v', null],
      'volumeUpdate: the argument is null, not an object',
    ],
    [
      'no argument',
      'volumesReassignWait',
      [],
      'a reassignment is a list of entries: [{ volume, rw: [clientId] }]',
    ],
    ['a client that is none', 'clientConfigWait', [0], '0 is not a client ID: give a number from 1 to 4095'],
  ])('%s', async (_label, call, args, message) => {
    const run = api()[call]?.bind(service.client()) as (...given: unknown[]) => Promise<unknown>;
    const error = await failureOf(run(...args), ApiArgumentError);
    expect(error).toMatchObject({ code: 'EINVAL', message });
    expect(service.requests).toEqual([]);
  });

  test.each([undefined, null, 'token'])('a client made of %j', (options) => {
    const make = () => new Api(options as unknown as ApiOptions);
    expect(thrownBy(make, ApiArgumentError).message).toBe(
      'the options of an Api are an object, for example { auth }',
    );
  });
});
