import { describe, expect, test } from 'vitest';
import { ApiArgumentError } from '../../src/index.js';
import { useService } from './answering-service.js';
import { failureOf } from './failure.js';
import { parts } from './raw-server.js';

const service = useService();

describe('call()', () => {
  test('a GET carries its argument in the query', async () => {
    service.data = 'raw';
    const json = { a: [1, null, { b: null, c: 'x y&z#/жълт' }], d: undefined };
    expect(await service.client().call('GET', 'Any/Path', { json: { ...json, a: json.a.slice(2) } })).toBe(
      'raw',
    );
    expect(parts(service.requests[0])).toMatchObject({
      line: `GET /ctrl/1.0/Any/Path?json=${encodeURIComponent('{"a":[{"c":"x y&z#/жълт"}]}')} HTTP/1.1`,
      body: '',
    });
  });

  test.each([undefined, null])('without an argument (%s) there is neither query nor body', async (json) => {
    service.data = 1;
    await service.client().call('GET', 'X', { json });
    await service.client().call('POST', 'X', { json });
    await service.client().call('POST', 'X');
    expect(service.requests.map((request) => parts(request))).toMatchObject([
      { line: 'GET /ctrl/1.0/X HTTP/1.1', body: '' },
      { line: 'POST /ctrl/1.0/X HTTP/1.1', body: '' },
      { line: 'POST /ctrl/1.0/X HTTP/1.1', body: '' },
    ]);
  });

  test.each([false, 0, ''])('%j is an argument', async (json) => {
    service.data = 1;
    await service.client().call('POST', 'X', { json });
    expect(parts(service.requests[0]).body).toBe(JSON.stringify(json));
  });

  test('has a multi-cluster form only where it is said to', async () => {
    service.data = 1;
    await service.client(true).call('GET', 'X');
    await service.client(true).call('GET', 'X', { multiCluster: true });
    await service.client().call('GET', 'X', { multiCluster: true });
    await service.client(true).call('GET', 'X', { multiCluster: true, clusterName: 'c' });
    expect(service.requests.map((request) => parts(request).line)).toEqual([
      'GET /ctrl/1.0/X HTTP/1.1',
      'GET /ctrl/1.0/MultiCluster/X HTTP/1.1',
      'GET /ctrl/1.0/X HTTP/1.1',
      'GET /ctrl/1.0/RemoteCommand/c/MultiCluster/X HTTP/1.1',
    ]);
  });

  test('its result is not checked', async () => {
    service.data = { not: 'a list' };
    expect(await service.client().call('GET', 'VolumesList')).toEqual(service.data);
  });

  test.each(['DELETE', 'get', '', undefined, 'GET / HTTP/1.1\r\n'])(
    'the method %j is none',
    async (method) => {
      const error = await failureOf(service.client().call(method as 'GET', 'X'), ApiArgumentError);
      expect(error).toMatchObject({
        code: 'EINVAL',
        message: `${String(method)} is not a method of the API: use GET or POST`,
      });
      expect(service.requests).toEqual([]);
    },
  );

  test.each(['', '/X', '..', 'Volume/../X', 'Volume/%2e%2e/X', 'X?json=1', 'X\r\nY: 1', 'a b'])(
    'the path %j is none',
    async (path) => {
      const error = await failureOf(service.client().call('GET', path), ApiArgumentError);
      expect(error).toMatchObject({ name: 'ApiArgumentError', code: 'EINVAL' });
      expect(error.message).toContain('is not the path of an API call');
      expect(service.requests).toEqual([]);
    },
  );

  test.each([undefined, null, 5, {}, ['X']])('the path %j is no text', async (path) => {
    const error = await failureOf(service.client().call('GET', path as string), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(service.requests).toEqual([]);
  });
});
