import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  Api,
  ApiConnectionError,
  ApiError,
  type ApiOptions,
  ApiResponseError,
  SPConfig,
} from '../../src/index.js';
import { type ApiCallName, FakeStorPool } from '../../src/testing/index.js';
import { failureOf } from '../api/failure.js';

const client = (fake: FakeStorPool, options: Partial<ApiOptions> = {}) =>
  Api.fromConfig(new SPConfig({ overrideConfig: fake.config }), { transientRetries: 0, ...options });

/** A port that is free, and that the system gives to nobody who does not ask for it by its number. */
async function quietPort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    try {
      await (await FakeStorPool.start({ port })).close();
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** What the bytes get for an answer. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

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
    expect(await api.disksList()).toEqual({
      101: { id: 101, serverId: 1 },
      201: { id: 201, serverId: 2 },
      301: { id: 301, serverId: 3 },
    });
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
      desc: `There is no call /ctrl/1.0/${path}.`,
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
    await using fake = await FakeStorPool.start({
      volumes: [volume],
      disks: [disk, 108],
      templates: ['u', template],
    });
    const api = client(fake);
    await api.volumeUpdate('v', { rename: 'w', size: 1024 });
    expect(volume).toEqual({ name: 'v', size: 512 });
    expect(await api.disksList()).toEqual({ 7: disk, 108: { id: 108, serverId: 1 } });
    expect(await api.volumeTemplatesList()).toEqual([{ name: 'u' }, template]);
  });

  test('what is given as the iSCSI configuration stays as it is', async () => {
    const iscsi = { baseName: 'b', targets: {}, initiators: {} };
    await using fake = await FakeStorPool.start({ iscsi, volumes: ['v'] });
    await client(fake).iSCSIConfigChange({ commands: [{ createTarget: { volumeName: 'v' } }] });
    expect(iscsi).toEqual({ baseName: 'b', targets: {}, initiators: {} });
  });
});

describe('start and end', () => {
  test('a port that is taken', async () => {
    await using fake = await FakeStorPool.start();
    await expect(FakeStorPool.start({ port: fake.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('a port of one’s own', async () => {
    const port = await quietPort();
    await using fake = await FakeStorPool.start({ port });
    expect(fake.port).toBe(port);
    expect(fake.config['SP_API_HTTP_PORT']).toBe(String(port));
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('nobody is let in after the end, which may come twice', async () => {
    const fake = await FakeStorPool.start({ port: await quietPort() });
    const api = client(fake);
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
    const root = mkdtempSync(join(tmpdir(), 'fake-'));
    try {
      writeFileSync(join(root, 'file'), '');
      const port = await quietPort();
      const started = FakeStorPool.start({
        port,
        volumes: ['v'],
        attachments: [{ volume: 'v' }],
        deviceDir: join(root, 'file', 'dev'),
      });
      await expect(started).rejects.toMatchObject({ code: 'ENOTDIR' });
      const api = new Api({ port, auth: '1234567890', transientRetries: 0 });
      expect((await failureOf(api.volumesList(), ApiConnectionError)).code).toBe('ECONNREFUSED');
    } finally {
      rmSync(root, { recursive: true });
    }
  });
});

describe('failNext', () => {
  test('an error, with what is not given filled in', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    fake.failNext('volumesList', { name: 'busy' });
    const error = await failureOf(client(fake).volumesList(), ApiError);
    expect(error).toMatchObject({
      status: 409,
      code: 'busy',
      desc: 'The test asked for this error.',
      transient: false,
    });
    expect(await client(fake).volumesList()).toHaveLength(1);
  });

  test.each([
    ['objectDoesNotExist', 404],
    ['objectExists', 409],
    ['busy', 409],
    ['notAuthorized', 403],
    ['invalidParam', 400],
    ['somethingElse', 500],
  ])('%s has the status %d', async (name, status) => {
    await using fake = await FakeStorPool.start();
    fake.failNext('disksList', { name });
    expect(await failureOf(client(fake).disksList(), ApiError)).toMatchObject({ status, code: name });
  });

  test('every part of an error can be chosen', async () => {
    await using fake = await FakeStorPool.start();
    fake.failNext('disksList', { name: 'n', descr: 'd', transient: true, status: 503 });
    expect(await failureOf(client(fake).disksList(), ApiError)).toMatchObject({
      status: 503,
      code: 'n',
      desc: 'd',
      transient: true,
      json: { error: { name: 'n', descr: 'd', transient: true } },
    });
  });

  test('a call that fails has changed nothing', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    fake.failNext('volumeDelete', { name: 'busy' });
    await failureOf(client(fake).volumeDelete('v'), ApiError);
    expect(fake.volumes).toHaveLength(1);
  });

  test('several times, in order, each call for itself', async () => {
    await using fake = await FakeStorPool.start();
    const api = client(fake);
    fake.failNext('volumesList', { name: 'a' }, 2);
    fake.failNext('volumesList', { name: 'b' });
    fake.failNext('snapshotsList', { name: 'c' });
    const codes: string[] = [];
    for (let at = 0; at < 3; at++) codes.push((await failureOf(api.volumesList(), ApiError)).code);
    expect(codes).toEqual(['a', 'a', 'b']);
    expect(await api.volumesList()).toEqual([]);
    expect((await failureOf(api.snapshotsList(), ApiError)).code).toBe('c');
    expect(await api.snapshotsList()).toEqual([]);
  });

  test('transient errors are overcome', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'] });
    fake.failNext('volumesList', { name: 'n', transient: true }, 2);
    fake.failNext('volumesList', 'reset');
    fake.failNext('volumesList', 'garbage');
    const api = client(fake, { transientRetries: 4, transientSleep: () => 0 });
    expect(await api.volumesList()).toHaveLength(1);
    expect(fake.requests).toHaveLength(5);
  });

  test('reset', async () => {
    await using fake = await FakeStorPool.start();
    fake.failNext('volumesList', 'reset');
    expect((await failureOf(client(fake).volumesList(), ApiConnectionError)).code).toBe('ECONNRESET');
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('garbage', async () => {
    await using fake = await FakeStorPool.start();
    fake.failNext('volumesList', 'garbage');
    expect((await failureOf(client(fake).volumesList(), ApiResponseError)).code).toBe('ENOTHTTP');
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('hang', async () => {
    await using fake = await FakeStorPool.start();
    fake.failNext('volumesList', 'hang');
    const api = client(fake, { timeout: 40 });
    expect((await failureOf(api.volumesList(), ApiConnectionError)).code).toBe('ETIMEDOUT');
    expect(await client(fake).volumesList()).toEqual([]);
  });

  test('an error as a mock would throw it', async () => {
    await using fake = await FakeStorPool.start();
    const error = { name: 'busy', descr: 'is open at 1', transient: false };
    fake.failNext('volumesList', new ApiError(423, { error }));
    expect(await failureOf(client(fake).volumesList(), ApiError)).toMatchObject({
      status: 423,
      code: 'busy',
      desc: 'is open at 1',
      isOpen: true,
    });
  });

  test.each(['weird', {}, { error: { name: 'busy' } }, new Error('busy'), undefined, null])(
    '%j is no failure',
    async (failure) => {
      await using fake = await FakeStorPool.start();
      expect(() => fake.failNext('volumesList', failure as never)).toThrowError(/^A failure is/);
    },
  );

  test.each([-1, 1.5, Number.NaN])('%d times is no number of calls', async (times) => {
    await using fake = await FakeStorPool.start();
    expect(() => fake.failNext('volumesList', 'reset', times)).toThrowError('is no number of calls');
  });

  test.each(['nonsense', 'toString', '__proto__', ''])('there is no call %j', async (call) => {
    await using fake = await FakeStorPool.start();
    expect(() => fake.failNext(call as ApiCallName, 'reset')).toThrowError(
      new TypeError(`The API has no call ${call}`),
    );
  });
});

describe('devices', () => {
  let root: string;
  let deviceDir: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'fake-'));
    deviceDir = join(root, 'dev', 'storpool');
  });
  afterEach(() => {
    vi.useRealTimers();
    rmSync(root, { recursive: true });
  });
  const devices = () => (existsSync(deviceDir) ? readdirSync(deviceDir).sort() : undefined);

  test('links come and go with the attachments of this host', async () => {
    const fake = await FakeStorPool.start({
      volumes: ['v', 'w'],
      snapshots: ['s'],
      attachments: [{ volume: 'v' }, { volume: 'w', client: 2 }],
      deviceDir,
    });
    const api = client(fake);
    expect(devices()).toEqual(['v']);
    expect(readlinkSync(join(deviceDir, 'v'))).toBe('/dev/null');
    await api.volumesReassign([
      { volume: 'w', rw: [1] },
      { snapshot: 's', ro: [1, 2] },
    ]);
    expect(devices()).toEqual(['s', 'v', 'w']);
    await api.volumesReassign([
      { volume: 'v', detach: [1] },
      { snapshot: 's', detach: [2] },
    ]);
    expect(devices()).toEqual(['s', 'w']);
    await fake.close();
    expect(devices()).toEqual([]);
  });

  test('a volume that gets another name has another link', async () => {
    await using fake = await FakeStorPool.start({
      volumes: ['v'],
      attachments: [{ volume: 'v' }],
      deviceDir,
    });
    await client(fake).volumeUpdate('v', { rename: 'w' });
    expect(devices()).toEqual(['w']);
  });

  test('what somebody else left in its place gives way', async () => {
    await using fake = await FakeStorPool.start({
      volumes: ['v', 'w'],
      attachments: [{ volume: 'w' }],
      deviceDir,
    });
    writeFileSync(join(deviceDir, 'v'), 'left');
    await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
    expect(readlinkSync(join(deviceDir, 'v'))).toBe('/dev/null');
  });

  test('they come later when that is asked for', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await using fake = await FakeStorPool.start({ volumes: ['v'], deviceDir, deviceDelay: 1000 });
    await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
    vi.advanceTimersByTime(600);
    // Another change neither puts it off nor makes it come twice.
    await client(fake).volumesReassign([{ volume: 'v', ro: [1] }]);
    vi.advanceTimersByTime(399);
    expect(devices()).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(devices()).toEqual(['v']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a link that was still to come never comes after a detachment, nor after the end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const fake = await FakeStorPool.start({
      volumes: ['v', 'w', 'x'],
      attachments: [{ volume: 'w' }],
      deviceDir,
      deviceDelay: 1000,
    });
    await client(fake).volumesReassign([{ volume: 'v', rw: [1] }]);
    await client(fake).volumesReassign([{ volume: 'v', detach: [1] }]);
    vi.advanceTimersByTime(5000);
    expect(devices()).toEqual(['w']);
    await client(fake).volumesReassign([{ volume: 'x', rw: [1] }]);
    await fake.close();
    vi.advanceTimersByTime(5000);
    expect(devices()).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('without a folder there are none', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'], attachments: [{ volume: 'v' }] });
    await client(fake).volumesReassign([{ volume: 'v', detach: [1] }]);
    expect(readdirSync(root)).toEqual([]);
  });
});

describe('other clusters', () => {
  test('each has a state of its own', async () => {
    await using fake = await FakeStorPool.start({
      volumes: ['here'],
      clientId: 5,
      remotes: {
        far: { volumes: ['there'], snapshots: ['s'], attachments: [{ volume: 'there' }] },
        empty: {},
      },
    });
    const api = client(fake);
    expect((await api.volumesList({ clusterName: 'far' })).map(({ name }) => name)).toEqual(['there']);
    expect(await api.volumesList({ clusterName: 'empty' })).toEqual([]);
    await api.volumeCreate({ name: 'new', size: 512 }, { clusterName: 'empty' });
    await api.volumesReassign([{ snapshot: 's', ro: [5] }], { clusterName: 'far' });
    expect(fake.remote('empty').volumes.map(({ name }) => name)).toEqual(['new']);
    expect(fake.remote('far').snapshots.map(({ name }) => name)).toEqual(['s']);
    expect(fake.remote('far').attachments.map(({ volume, client }) => [volume, client])).toEqual([
      ['there', 5],
      ['s', 5],
    ]);
    expect(fake.volumes.map(({ name }) => name)).toEqual(['here']);
    expect(fake.attachments).toEqual([]);
  });

  test('one that does not exist', async () => {
    await using fake = await FakeStorPool.start({ remotes: { far: {} } });
    for (const clusterName of ['near', 'constructor', '__proto__']) {
      expect(await failureOf(client(fake).volumesList({ clusterName }), ApiError)).toMatchObject({
        status: 404,
        code: 'objectDoesNotExist',
        desc: `Cluster '${clusterName}' does not exist.`,
      });
    }
    expect(() => fake.remote('near')).toThrowError('There is no remote cluster near: give it in remotes');
  });

  test('the multi-cluster form gives the same, and can be seen in the requests', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['v'], remotes: { far: { volumes: ['w'] } } });
    const api = client(fake, { multiCluster: true });
    expect((await api.volumeList('v'))[0]?.name).toBe('v');
    expect((await api.volumeList('w', { clusterName: 'far' }))[0]?.name).toBe('w');
    await api.disksList();
    expect(fake.requests.map(({ path }) => path)).toEqual([
      '/ctrl/1.0/MultiCluster/Volume/v',
      '/ctrl/1.0/RemoteCommand/far/MultiCluster/Volume/w',
      '/ctrl/1.0/DisksList',
    ]);
  });
});

test.each([0, -1, 1.5, '1'])('%j is not a client ID', async (id) => {
  const clientId = id as number;
  await expect(FakeStorPool.start({ clientId })).rejects.toThrow('is not a client ID');
  const attachments = [{ volume: 'v', client: clientId }];
  await expect(FakeStorPool.start({ volumes: ['v'], attachments })).rejects.toThrow('is not a client ID');
  await using fake = await FakeStorPool.start({ volumes: ['v'] });
  expect(() => fake.open('v', clientId)).toThrowError('is not a client ID');
});

test('a volume that is not there cannot be opened', async () => {
  await using fake = await FakeStorPool.start({ attachments: [{ volume: 'gone' }] });
  fake.open('gone');
  expect(() => fake.open('nope')).toThrowError("'nope' does not exist");
});
