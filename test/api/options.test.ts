import { describe, expect, test } from 'vitest';
import { quote } from '../../src/api/names.js';
import { Api, ApiArgumentError, type ApiOptions, SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from './failure.js';
import { parts, serve, server, succeed, useServer } from './raw-server.js';

useServer();

const make = (options: Record<string, unknown>) => () =>
  new Api({ auth: 'token', ...options } as unknown as ApiOptions);
const of = (option: string, ...values: unknown[]) => values.map((value) => ({ option, value }));

const AUTH =
  'auth must be a non-empty string of printable ASCII characters: give it the value of SP_AUTH_TOKEN';
const NO_TOKENS = ['', ' ', 'tok en', 'token\n', 'token\r\nX-Header: 1', '\u0000', 'tokén', '\u007f'];
const NO_HOSTS = ['', ' ', 'a b', 'http://host', 'host/path', 'host\r\nX: 1', 'user@host', 'host?x', '[::1]'];
const message = (option: string, value: unknown) =>
  ({
    host: `${quote(value)} is not a host name or address`,
    port: `${quote(value)} is not a port: give a number from 1 to 65535`,
    auth: AUTH,
    timeout: `timeout is ${quote(value)}: give a number of at least 1`,
    transientRetries: `transientRetries is ${quote(value)}: give a number of at least 0`,
    maxReplySize: `maxReplySize is ${quote(value)}: give a number of at least 1`,
    source: `source is ${quote(value)}: give an IP address of this host`,
  })[option];

describe('new Api()', () => {
  test.each([
    ...of('host', 'localhost', '127.0.0.1', '::1', 'fe80::1%eth0', 'storpool-mgmt_1.example.com'),
    ...of('port', 1, 81, 65_535),
    ...of('auth', '!', '1234567890123456789', 'a:b/c+d=~'),
    ...of('source', '127.0.0.1'),
  ])('accepts the $option $value', ({ option, value }) => {
    expect(make({ [option]: value })).not.toThrow();
  });

  test.each([
    ...of('host', ...NO_HOSTS, 'h\u0000', 5, {}),
    ...of('port', 'abc', '81', 0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, true, []),
    ...of('auth', ...NO_TOKENS, 1234567890, 12n, null, undefined, {}, ['token']),
    ...of('timeout', 0, -1, Number.NaN, '5'),
    ...of('transientRetries', -1, '5'),
    ...of('maxReplySize', 0, Number.NaN),
    ...of('source', 'abc'),
  ])('refuses the $option $value', ({ option, value }) => {
    const error = thrownBy(make({ [option]: value }), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain(message(option, value));
  });

  test('refuses a sleep that is no function', () => {
    expect(thrownBy(make({ transientSleep: 5 }), ApiArgumentError).message).toContain('not a function');
  });

  test('takes the default for what is undefined', async () => {
    const { port } = await serve(succeed([]));
    const unset = { timeout: undefined, transientRetries: undefined, transientSleep: undefined };
    const more = { source: undefined, multiCluster: undefined, maxReplySize: undefined };
    expect(await make({ host: undefined, port, ...unset, ...more })().volumesList()).toEqual([]);
    expect(parts(server?.requests[0]).line).toBe('GET /ctrl/1.0/VolumesList HTTP/1.1');
  });

  test('connects from the source', async () => {
    const { port, peers } = await serve(succeed([]));
    await make({ port, source: '127.0.0.1' })().volumesList();
    expect(peers).toEqual(['127.0.0.1']);
  });

  test('reads no more than maxReplySize', async () => {
    const { port } = await serve(succeed([{ name: 'x'.repeat(100) }]));
    const list = make({ port, maxReplySize: 100 })().volumesList();
    await expect(list).rejects.toMatchObject({ code: 'ETOOLARGE', status: 200 });
  });
});

describe('Api.fromConfig()', () => {
  const settings = { SP_AUTH_TOKEN: 'tok', SP_API_HTTP_HOST: '127.0.0.1', SP_API_HTTP_PORT: '81' };
  const config = (overrides: Record<string, string | undefined> = {}) => {
    const all = Object.entries({ ...settings, ...overrides }).filter(([, value]) => value !== undefined);
    return new SPConfig({ overrideConfig: Object.fromEntries(all) as Record<string, string> });
  };
  const refused = (overrides: Record<string, string | undefined>) =>
    thrownBy(() => Api.fromConfig(config(overrides)), SPConfigError);

  test('reaches the service of the settings', async () => {
    const { port } = await serve(succeed([]));
    await Api.fromConfig(config({ SP_API_HTTP_PORT: String(port) })).volumesList();
    const { headers } = parts(server?.requests[0]);
    expect(headers).toContain('Authorization: Storpool v1:tok');
    expect(headers).toContain(`Host: 127.0.0.1:${port}`);
  });

  test('prefers options to settings, which then need not be there', async () => {
    const { port } = await serve(succeed([]));
    const options = { host: '127.0.0.1', port, auth: 'other', multiCluster: true };
    await Api.fromConfig(new SPConfig({ overrideConfig: {} }), options).volumesList();
    const { line, headers } = parts(server?.requests[0]);
    expect(line).toBe('GET /ctrl/1.0/MultiCluster/VolumesList HTTP/1.1');
    expect(headers).toContain('Authorization: Storpool v1:other');
  });

  test.each(Object.keys(settings))('needs %s', (key) => {
    const expected = { code: 'ECONFIG', message: `${key} is not set: add it to overrideConfig` };
    expect(refused({ [key]: undefined })).toMatchObject(expected);
  });

  test('refuses an empty token, and one that would break the header, without showing it', () => {
    const { message } = refused({ SP_AUTH_TOKEN: '' });
    expect(message).toBe("SP_AUTH_TOKEN is empty: set it to the cluster's authentication token");
    expect(() => Api.fromConfig(config(), { auth: '' })).toThrowError(SPConfigError);
    const hostile = refused({ SP_AUTH_TOKEN: 's3cret\nX: 1' });
    expect(hostile.message).toContain('SP_AUTH_TOKEN');
    expect(hostile.message).not.toContain('s3cret');
  });

  const ports = ['', 'abc', '0', '65536', '1.5', '-1', ' 81', '0x51', '8e1', '81;', '٨١'];
  test.each(ports)('refuses the port %j', (port) => {
    const shown = /^\d+$/u.test(port) ? port : JSON.stringify(port);
    const message = `SP_API_HTTP_PORT: ${shown} is not a port: give a number from 1 to 65535`;
    expect(refused({ SP_API_HTTP_PORT: port })).toMatchObject({ code: 'ECONFIG', message });
  });

  test.each(['', 'a b', 'http://x'])('refuses the host %j', (host) => {
    const message = `SP_API_HTTP_HOST: ${JSON.stringify(host)} is not a host name or address`;
    expect(refused({ SP_API_HTTP_HOST: host }).message).toContain(message);
  });
});
