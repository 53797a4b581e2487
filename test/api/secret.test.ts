import { format, inspect } from 'node:util';
import createDebug from 'debug';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Api, SPConfig } from '../../src/index.js';
import { http10, type RawReply, serve, server, succeed, useServer } from './raw-server.js';

const TOKEN = 's3cr3t-T0ken-0123456789';
const NUMBER = '1234567890';

const logged: string[] = [];
const { log } = createDebug;
beforeEach(() => {
  logged.length = 0;
  createDebug.log = (...args: unknown[]) => logged.push(format(...args));
  createDebug.enable('storpool:*');
});
afterEach(() => {
  createDebug.disable();
  createDebug.log = log;
});

useServer();

/** Everything that somebody may print of an error. */
function everything(error: unknown): string {
  const all: unknown[] = [];
  for (let one = error; one instanceof Error; one = one.cause) {
    all.push(one.message, one.stack, String(one), JSON.stringify(one), JSON.stringify({ ...one }));
    if ('json' in one) all.push(JSON.stringify(one.json), inspect(one.json, { depth: null }));
  }
  return [...all, inspect(error, { depth: null, showHidden: true })].join('\n');
}

async function failing(reply: RawReply, token = TOKEN): Promise<string> {
  await serve(reply);
  const api = new Api({ port: server?.port, auth: token, transientRetries: 1, transientSleep: () => 0 });
  const error = await api.volumesList().then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  // The server did get it.
  expect(server?.requests[0]).toContain(token);
  return everything(error);
}

const json =
  (status: number, value: unknown): RawReply =>
  (socket) =>
    socket.end(http10(status, typeof value === 'string' ? value : JSON.stringify(value)));

describe('a server that sends the token back', () => {
  test.each<[string, RawReply]>([
    ['in HTML', json(502, `<html>Authorization: Storpool v1:${TOKEN}</html>`)],
    ['at the end of the part of it that is shown', json(502, `${'x'.repeat(110)}${TOKEN}`)],
    ['in JSON that is no object', json(200, [TOKEN])],
    ['in JSON without data', json(200, { request: { auth: TOKEN } })],
    ['in an error that is a text', json(400, { error: `bad token ${TOKEN}` })],
    ['in cut JSON', json(200, `{"data":"${TOKEN}`)],
    ['in the name of an error', json(403, { error: { name: TOKEN, descr: 'd' } })],
    [
      'in the description of an error',
      json(403, { error: { name: 'n', descr: `no ${TOKEN}, twice ${TOKEN}` } }),
    ],
    ['in a transient error', json(503, { error: { name: 'n', descr: TOKEN, transient: true } })],
    [
      'deep in an error',
      json(403, { error: { name: 'n' }, request: { headers: [[`Storpool v1:${TOKEN}`]] } }),
    ],
    [
      'with escapes in an error',
      json(
        403,
        `{"error":{"name":"n","descr":"${[...TOKEN].map((c) => `\\u00${c.charCodeAt(0).toString(16)}`).join('')}"}}`,
      ),
    ],
    ['as the name of a member of an error', json(403, { error: { name: 'n', descr: 'd', [TOKEN]: true } })],
    [
      'as the name of a member beside an error',
      json(403, { error: { name: 'n' }, [`Storpool v1:${TOKEN}`]: 1 }),
    ],
    ['in the status line', (socket) => socket.end(`HTTP/1.0 500 ${TOKEN}\r\n\r\n`)],
    ['in a header', (socket) => socket.end(`HTTP/1.0 500 Bad\r\nX-Auth: ${TOKEN}\r\n\r\n`)],
    ['in what is not HTTP', (socket) => socket.end(`Storpool v1:${TOKEN}\r\n\r\n`)],
    [
      'in a header that is not HTTP',
      (socket) => socket.end(`HTTP/1.0 200 OK\r\nX-${TOKEN}\u0001: 1\r\n\r\n`),
    ],
    ['in a cut reply', (socket) => socket.end(`HTTP/1.0 200 OK\r\nContent-Length: 999\r\n\r\n${TOKEN}`)],
    ['in an entry of a list', json(200, { data: [{ size: TOKEN }] })],
  ])('%s', async (_label, reply) => {
    const text = await failing(reply);
    expect(text).not.toContain(TOKEN);
    expect(text).not.toContain(TOKEN.slice(0, 10));
    expect(logged.join('\n')).not.toContain(TOKEN);
    expect(logged).not.toEqual([]);
  });

  test('what is left of the error can still be read', async () => {
    const text = await failing(json(403, { error: { name: 'notAuthorized', descr: `bad ${TOKEN}!` } }));
    expect(text).toContain('notAuthorized: bad [hidden]!');
  });

  test('as a number', async () => {
    const text = await failing(json(403, `{"error":{"name":"n","descr":"d"},"auth":${NUMBER}}`), NUMBER);
    expect(text).not.toContain(NUMBER);
  });

  test('a token that JSON must escape', async () => {
    const token = 'tok"en\\0123456789';
    const text = await failing(json(200, { request: token }), token);
    expect(text).not.toContain('0123456789');
  });
});

describe('what is printed', () => {
  const views = (value: unknown) =>
    [
      inspect(value, { depth: null, showHidden: true }),
      inspect({ value }, { depth: null }),
      JSON.stringify({ value }),
      JSON.stringify(Object.entries(value as object)),
      format('%s %o %O %j', value, value, value, value),
      String(value),
      JSON.stringify({ ...(value as object) }),
    ].join('\n');

  test('a client', () => {
    const api = new Api({ auth: TOKEN });
    expect(views(api)).not.toContain(TOKEN);
    expect(Reflect.ownKeys(api)).toEqual([]);
  });

  test('a configuration', () => {
    const config = new SPConfig({ overrideConfig: { SP_AUTH_TOKEN: TOKEN, A: 'shown' } });
    const { message } = new Error(
      [
        inspect(config),
        inspect({ config }),
        JSON.stringify(config),
        format('%s %o %O %j', config, config, config, config),
      ].join('\n'),
    );
    expect(message).not.toContain(TOKEN);
    expect(message).toContain('shown');
    expect(config.get('SP_AUTH_TOKEN')).toBe(TOKEN);
  });

  test('a client made from a configuration, and the debug output of all of it', async () => {
    await serve(succeed([]));
    const api = Api.fromConfig(
      new SPConfig({
        missingOk: true,
        file: '/nonexistent/storpool.conf',
        env: { SP_AUTH_TOKEN: TOKEN, SP_API_HTTP_PORT: String(server?.port) },
      }),
    );
    await api.volumesList();
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    expect(logged.join('\n')).toContain('method=GET path=VolumesList');
    expect(logged.join('\n')).toContain('method=POST path=VolumesReassign');
    expect(logged.join('\n')).not.toContain(TOKEN);
    expect(views(api)).not.toContain(TOKEN);
  });

  test('retries are told, without it', async () => {
    await failing((socket) => socket.resetAndDestroy());
    expect(logged.join('\n')).toContain('; retry 1 of 1 in 0 ms');
    expect(logged.join('\n')).toContain('method=GET path=VolumesList attempt=1 in ');
    expect(logged.join('\n')).not.toContain(TOKEN);
  });
});
