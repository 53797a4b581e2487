import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import { Api, ApiConnectionError, ApiError } from '../../src/index.js';
import { type FakeReply, FakeStorPool } from '../../src/testing/index.js';
import { failureOf } from '../api/failure.js';
import { useTempDir } from '../lib/temp-dir.js';
import { client, exchange, quietPort } from './fake.js';

const path = useTempDir();

describe('the service', () => {
  test('the settings lead to it', async () => {
    await using fake = await FakeStorPool.start({ clientId: 42, token: 'secret' });
    expect(fake.port).toBeGreaterThan(0);
    expect(fake.config).toEqual({
      SP_OURID: '42',
      SP_AUTH_TOKEN: 'secret',
      SP_API_HTTP_HOST: '127.0.0.1',
      SP_API_HTTP_PORT: String(fake.port),
    });
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('has defaults for everything', async () => {
    await using fake = await FakeStorPool.start();
    expect(fake.config).toMatchObject({ SP_OURID: '1', SP_AUTH_TOKEN: '1234567890' });
    const api = client(fake);
    expect(await api.attachmentsList()).toEqual([]);
    expect(await api.snapshotsList()).toEqual([]);
    expect(await api.volumeTemplatesList()).toEqual([]);
    expect(Object.keys(await api.disksList())).toEqual(['101', '201', '301']);
    expect(await api.iSCSIConfig()).toEqual({
      iscsi: { baseName: 'iqn.2019-08.example:fake', initiators: {}, portalGroups: {}, targets: {} },
    });
  });

  test('answers as the real one: one answer, ended by the end of the connection', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    const answer = await exchange(
      fake.port,
      'GET /ctrl/1.0/VolumesList HTTP/1.1\r\nHost: x\r\nAuthorization: Storpool v1:1234567890\r\n\r\n',
    );
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/u);
    expect(head).toContain('Content-Type: application/json');
    expect(head).toContain('Connection: close');
    expect(head).not.toMatch(/content-length|transfer-encoding/iu);
    expect(JSON.parse(body)).toMatchObject({ generation: 1, data: [{ name: 'v' }] });
  });

  test('keeps the requests, in their order', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    const api = client(fake);
    await api.volumeList('v');
    await api.volumesReassign([{ volume: 'v', rw: [1] }]);
    await api.volumeDelete('w').catch(() => undefined);
    await api.call('GET', 'VolumesList', { json: { a: 'ж' } });
    expect(fake.requests).toEqual([
      { method: 'GET', path: '/ctrl/1.0/Volume/v', body: undefined },
      { method: 'POST', path: '/ctrl/1.0/VolumesReassign', body: [{ volume: 'v', rw: [1], force: false }] },
      { method: 'POST', path: '/ctrl/1.0/VolumeDelete/w', body: undefined },
      { method: 'GET', path: '/ctrl/1.0/VolumesList?json=%7B%22a%22%3A%22%D0%B6%22%7D', body: { a: 'ж' } },
    ]);
  });

  test('the generation counts the changes, not the refusals', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v', 'w'] });
    const api = client(fake);
    expect(await api.volumeDelete('v')).toEqual({ ok: true, generation: 2 });
    await failureOf(api.volumeDelete('v'), ApiError);
    await api.volumesList();
    expect(await api.volumeDelete('w')).toEqual({ ok: true, generation: 3 });
  });

  test('another token is refused, for a call that does not exist as well', async () => {
    await using fake = await FakeStorPool.start();
    const api = client(fake, { auth: 'other' });
    for (const call of [api.volumesList(), api.call('GET', 'Nonsense')]) {
      expect(await failureOf(call, ApiError)).toMatchObject({
        status: 403,
        code: 'notAuthorized',
        transient: false,
        desc: 'The authentication token is not the right one.',
      });
    }
  });

  test.each([
    'Nonsense',
    'VolumesList/v',
    'Volume',
    'Volume/v/w',
    'VolumesReassign',
    'MultiCluster/DisksList',
    'MultiCluster',
  ])('GET %s is no call', async (path) => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    expect(await failureOf(client(fake).call('GET', path), ApiError)).toMatchObject({
      status: 400,
      code: 'invalidParam',
      desc: `There is no call /ctrl/1.0/${path}. Give the fake one with fake.on('${path.replace('MultiCluster/', '')}', handler).`,
    });
  });

  test('POST VolumesList is no call, nor is anything outside of /ctrl/1.0/', async () => {
    await using fake = await FakeStorPool.start();
    expect(await failureOf(client(fake).call('POST', 'VolumesList'), ApiError)).toMatchObject({
      code: 'invalidParam',
    });
    const answer = await exchange(
      fake.port,
      'GET /VolumesList HTTP/1.0\r\nAuthorization: Storpool v1:1234567890\r\n\r\n',
    );
    expect(answer).toContain('There is no call /VolumesList.');
  });

  test.each([
    ['POST /ctrl/1.0/VolumeCreate', '{"name":'],
    ['GET /ctrl/1.0/VolumesList?json=%7B', ''],
    ['GET /ctrl/1.0/VolumesList?json=%zz', ''],
  ])('%s with what is not JSON', async (line, body) => {
    await using fake = await FakeStorPool.start();
    const answer = await exchange(
      fake.port,
      `${line} HTTP/1.0\r\nAuthorization: Storpool v1:1234567890\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /u);
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toMatchObject({
      error: {
        name: 'invalidParam',
        descr: expect.stringMatching(/^The argument is not JSON: ./u),
        transient: false,
      },
    });
    expect(fake.requests[0]?.body).toBeInstanceOf(SyntaxError);
  });

  test('a request that ends in the middle is none', async () => {
    await using fake = await FakeStorPool.start();
    await new Promise<void>((resolve) => {
      const socket = connect(fake.port, '127.0.0.1', () => {
        socket.write(
          'POST /ctrl/1.0/VolumeCreate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"name"',
          () =>
            // The reset must not overtake what was sent before it.
            setTimeout(() => socket.resetAndDestroy(), 20),
        );
      });
      socket.on('close', () => resolve());
    });
    expect(await client(fake).volumesList()).toEqual([]);
    expect(fake.requests.map(({ path }) => path)).toEqual(['/ctrl/1.0/VolumesList']);
  });

  test('a trouble of its own is an error of the API', async () => {
    // An initiator as nobody could have made it by the calls.
    await using fake = await FakeStorPool.start({ iscsi: { initiators: { 1: { name: 'i' } } } });
    const commands = [{ initiatorAddNetwork: { initiator: 'i', net: '10.0.0.0/8' } }];
    expect(await failureOf(client(fake).iSCSIConfigChange({ commands }), ApiError)).toMatchObject({
      status: 500,
      code: 'internalError',
      desc: expect.stringContaining('TypeError'),
    });
  });

  test('what is given is copied', async () => {
    const volume = { name: 'v', size: 512 };
    const disk = { id: 7, serverId: 9, model: 'm' };
    const template = { name: 't', size: 1024 };
    const iscsi = { baseName: 'b', targets: {}, initiators: {} };
    const given = { volumes: [volume], disks: [disk, 108], templates: ['u', template], iscsi };
    await using fake = await FakeStorPool.start(given);
    const api = client(fake);
    await api.volumeUpdate('v', { rename: 'w', size: 1024 });
    await api.iSCSIConfigChange({ commands: [{ createTarget: { volumeName: 'w' } }] });
    expect(volume).toEqual({ name: 'v', size: 512 });
    expect(iscsi).toEqual({ baseName: 'b', targets: {}, initiators: {} });
    expect(await api.disksList()).toMatchObject({ 7: disk, 108: { id: 108, serverId: 1 } });
    expect(await api.volumeTemplatesList()).toMatchObject([{ name: 'u' }, template]);
  });
});

describe('start and end', () => {
  test('a port that is taken', async () => {
    await using fake = await FakeStorPool.start();
    await expect(FakeStorPool.start({ port: fake.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('a port of one’s own; nobody is let in after the end, which may come twice', async () => {
    const port = await quietPort();
    const fake = await FakeStorPool.start({ port });
    expect([fake.port, fake.config['SP_API_HTTP_PORT']]).toEqual([port, String(port)]);
    const api = client(fake);
    expect(await api.volumesList()).toEqual([]);
    await fake.close();
    await fake.close();
    expect((await failureOf(api.volumesList(), ApiConnectionError)).code).toBe('ECONNREFUSED');
  });

  test('the end comes at once, whatever is still going on', async () => {
    const fake = await FakeStorPool.start();
    fake.failNext('volumesList', 'hang');
    const hanging = failureOf(client(fake).volumesList(), ApiConnectionError);
    await expect.poll(() => fake.requests.length, { interval: 5 }).toBe(1);
    await fake.close();
    expect((await hanging).code).toBe('ECONNRESET');
  });

  test('a state that cannot be made leaves no server behind', async () => {
    writeFileSync(path('file'), '');
    const port = await quietPort();
    const started = FakeStorPool.start({
      port,
      volumes: ['v'],
      attachments: [{ volume: 'v' }],
      deviceDir: path('file/dev'),
    });
    await expect(started).rejects.toMatchObject({ code: 'ENOTDIR' });
    const api = new Api({ port, auth: '1234567890', transientRetries: 0 });
    expect((await failureOf(api.volumesList(), ApiConnectionError)).code).toBe('ECONNREFUSED');
  });
});

test('a listener that fails does not keep the client waiting', async () => {
  const failed = new Promise((resolve) => {
    process.once('uncaughtException', resolve);
  });
  const listeners = process
    .listeners('uncaughtException')
    .filter((one) => one !== process.listeners('uncaughtException').at(-1));
  for (const one of listeners) process.off('uncaughtException', one);
  try {
    await using fake = await FakeStorPool.start({
      onRequest: () => {
        throw new Error('an expectation');
      },
    });
    await expect(client(fake).volumesList()).rejects.toMatchObject({ name: 'ApiConnectionError' });
    expect(await failed).toMatchObject({ message: 'an expectation' });
  } finally {
    for (const one of listeners) process.on('uncaughtException', one);
  }
});

test('onReply tells what became of each request', async () => {
  const replies: FakeReply[] = [];
  await using fake = await FakeStorPool.start({ volumes: ['v'], onReply: (reply) => replies.push(reply) });
  const api = client(fake);
  await api.volumesReassign([{ volume: 'v', rw: [1] }]);
  await failureOf(api.volumeList('w'), ApiError);
  fake.failNext('volumesList', 'reset');
  await failureOf(api.volumesList(), ApiConnectionError);
  expect(replies).toEqual([
    {
      method: 'POST',
      path: '/ctrl/1.0/VolumesReassign',
      body: [{ volume: 'v', rw: [1], force: false }],
      status: 200,
      duration: expect.any(Number),
    },
    expect.objectContaining({ path: '/ctrl/1.0/Volume/w', status: 404 }),
    expect.objectContaining({ path: '/ctrl/1.0/VolumesList', status: 'reset' }),
  ]);
});

test('what need not be escaped may be', async () => {
  await using fake = await FakeStorPool.start({ volumes: [{ name: 'a:b', globalId: 'a.b.c' }] });
  const api = client(fake);
  for (const path of ['Volume/a%3Ab', 'Volume/%7Ea.b.c']) {
    expect(await api.call('GET', path)).toMatchObject([{ name: 'a:b' }]);
  }
});
