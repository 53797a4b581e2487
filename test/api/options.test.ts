import { afterEach, describe, expect, test } from 'vitest';
import { quote } from '../../src/api/names.js';
import { Api, ApiArgumentError, type ApiOptions, SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from './failure.js';
import { parts, type RawServer, rawServer, succeed } from './raw-server.js';

let server: RawServer | undefined;
afterEach(async () => {
  await server?.close();
  server = undefined;
});

const make = (options: Record<string, unknown>) => () =>
  new Api({ auth: 'token', ...options } as unknown as ApiOptions);

describe('options', () => {
  test.each(['localhost', '127.0.0.1', '::1', 'fe80::1%eth0', 'storpool-mgmt_1.example.com'])(
    'the host %s is one',
    (host) => {
      expect(make({ host })).not.toThrow();
    },
  );

  test.each([
    '',
    ' ',
    'a b',
    'http://host',
    'host/path',
    'host\r\nX: 1',
    'user@host',
    'host?x',
    '[::1]',
    'h\u0000',
    5,
    {},
  ])('the host %j is none', (host) => {
    const error = thrownBy(make({ host }), ApiArgumentError);
    expect(error).toMatchObject({
      code: 'EINVAL',
      message: `${quote(host)} is not a host name or address`,
    });
  });

  test.each([1, 81, 65_535])('the port %j is one', (port) => {
    expect(make({ port })).not.toThrow();
  });

  test.each(['abc', '81', 0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, true, []])(
    'the port %j is none',
    (port) => {
      const error = thrownBy(make({ port }), ApiArgumentError);
      expect(error).toMatchObject({
        code: 'EINVAL',
        message: `${quote(port)} is not a port: give a number from 1 to 65535`,
      });
    },
  );

  test.each(['!', '1234567890123456789', 'a:b/c+d=~'])('the token %j is one', (auth) => {
    expect(make({ auth })).not.toThrow();
  });

  test.each(
    [
      '',
      ' ',
      'tok en',
      'token\n',
      'token\r\nX-Header: 1',
      '\u0000',
      'tokén',
      '\u007f',
      1234567890,
      12n,
      null,
      undefined,
      {},
      ['token'],
    ].map((auth) => ({ auth })),
  )('the token $auth is none, and the message does not show it', ({ auth }) => {
    const error = thrownBy(make({ auth }), ApiArgumentError);
    expect(error).toMatchObject({
      code: 'EINVAL',
      message:
        'auth must be a non-empty string of printable ASCII characters: give it the value of SP_AUTH_TOKEN',
    });
  });

  test.each([
    ['timeout', 0, 1],
    ['timeout', -1, 1],
    ['timeout', Number.NaN, 1],
    ['timeout', '5', 1],
    ['transientRetries', -1, 0],
    ['transientRetries', '5', 0],
    ['maxReplySize', 0, 1],
    ['maxReplySize', Number.NaN, 1],
  ])('%s cannot be %j', (name, value, least) => {
    const error = thrownBy(make({ [name]: value }), ApiArgumentError);
    expect(error).toMatchObject({
      code: 'EINVAL',
      message: `${name} is ${JSON.stringify(value)?.replace('null', 'NaN')}: give a number of at least ${least}`,
    });
  });

  test('what is undefined has its default', async () => {
    server = await rawServer(succeed([]));
    const api = new Api({
      host: undefined,
      port: server.port,
      auth: 'token',
      timeout: undefined,
      transientRetries: undefined,
      transientSleep: undefined,
      source: undefined,
      multiCluster: undefined,
      maxReplySize: undefined,
    });
    expect(await api.volumesList()).toEqual([]);
    expect(parts(server.requests[0]).line).toBe('GET /ctrl/1.0/VolumesList HTTP/1.1');
  });

  test('the local address', async () => {
    server = await rawServer(succeed([]));
    await new Api({ port: server.port, auth: 'token', source: '127.0.0.1' }).volumesList();
    expect(server.peers).toEqual(['127.0.0.1']);
  });

  test('the largest reply', async () => {
    server = await rawServer(succeed([{ name: 'x'.repeat(100) }]));
    const api = new Api({ port: server.port, auth: 'token', maxReplySize: 100 });
    await expect(api.volumesList()).rejects.toMatchObject({ code: 'ETOOLARGE', status: 200 });
  });
});

describe('fromConfig', () => {
  const settings = { SP_AUTH_TOKEN: 'tok', SP_API_HTTP_HOST: '127.0.0.1', SP_API_HTTP_PORT: '81' };
  const config = (overrides: Record<string, string | undefined> = {}) => {
    const all = Object.entries({ ...settings, ...overrides }).filter(([, value]) => value !== undefined);
    return new SPConfig({ overrideConfig: Object.fromEntries(all) as Record<string, string> });
  };

  test('the settings lead to the service', async () => {
    server = await rawServer(succeed([]));
    const api = Api.fromConfig(config({ SP_API_HTTP_PORT: String(server.port) }));
    await api.volumesList();
    expect(parts(server.requests[0]).headers).toEqual([
      'Authorization: Storpool v1:tok',
      'Connection: close',
      'Content-Length: 0',
      `Host: 127.0.0.1:${server.port}`,
    ]);
  });

  test('options beat the settings, which then need not be there', async () => {
    server = await rawServer(succeed([]));
    const api = Api.fromConfig(new SPConfig({ overrideConfig: {} }), {
      host: '127.0.0.1',
      port: server.port,
      auth: 'other',
      multiCluster: true,
    });
    await api.volumesList();
    const { line, headers } = parts(server.requests[0]);
    expect(line).toBe('GET /ctrl/1.0/MultiCluster/VolumesList HTTP/1.1');
    expect(headers).toContain('Authorization: Storpool v1:other');
  });

  test.each(['SP_AUTH_TOKEN', 'SP_API_HTTP_HOST', 'SP_API_HTTP_PORT'])('%s must be set', (key) => {
    const error = thrownBy(() => Api.fromConfig(config({ [key]: undefined })), SPConfigError);
    expect(error).toMatchObject({
      code: 'ECONFIG',
      message: `${key} is not set: add it to overrideConfig`,
    });
  });

  test('an empty token', () => {
    const error = thrownBy(() => Api.fromConfig(config({ SP_AUTH_TOKEN: '' })), SPConfigError);
    expect(error.message).toBe("SP_AUTH_TOKEN is empty: set it to the cluster's authentication token");
    expect(() => Api.fromConfig(config(), { auth: '' })).toThrowError(SPConfigError);
  });

  test('a token that would break the header', () => {
    const error = thrownBy(() => Api.fromConfig(config({ SP_AUTH_TOKEN: 's3cret\nX: 1' })), SPConfigError);
    expect(error.message).toContain('SP_AUTH_TOKEN');
    expect(error.message).not.toContain('s3cret');
  });

  test.each(['', 'abc', '0', '65536', '1.5', '-1', ' 81', '0x51', '8e1', '81;', '٨١'])(
    'the port %j',
    (port) => {
      const error = thrownBy(() => Api.fromConfig(config({ SP_API_HTTP_PORT: port })), SPConfigError);
      expect(error).toMatchObject({
        code: 'ECONFIG',
        message: `SP_API_HTTP_PORT: ${/^\d+$/u.test(port) ? port : JSON.stringify(port)} is not a port: give a number from 1 to 65535`,
      });
    },
  );

  test('a source that is no address, and a sleep that is no function', () => {
    expect(thrownBy(make({ source: 'abc' }), ApiArgumentError).message).toContain(
      'source is "abc": give an IP address of this host',
    );
    expect(make({ source: '127.0.0.1' })).not.toThrow();
    expect(thrownBy(make({ transientSleep: 5 as never }), ApiArgumentError).message).toContain(
      'not a function',
    );
  });

  test.each(['', 'a b', 'http://x'])('the host %j', (host) => {
    const error = thrownBy(() => Api.fromConfig(config({ SP_API_HTTP_HOST: host })), SPConfigError);
    expect(error.message).toContain(
      `SP_API_HTTP_HOST: ${JSON.stringify(host)} is not a host name or address`,
    );
  });
});
