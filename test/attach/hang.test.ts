// An API that hangs does not keep the lock for longer than apiTimeout.
import { spawn } from 'node:child_process';
import dns from 'node:dns';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, ApiConnectionError, type AttachDB } from '../../src/index.js';
import { disk } from '../../src/store/disk.js';
import { advanceUntilSettled, FakeStorPool } from '../../src/testing/index.js';
import { rawServer } from '../api/raw-server.js';
import { attachment, isOpen, mockApi, request, settings, useAttachDB, workingApi } from '../lib/attach-db.js';

const { path, log, fname, make, cache, writeCache, device } = useAttachDB();

const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled.splice(0);
  process.on('unhandledRejection', onUnhandled);
  writeCache({ a: request('os--v') });
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  process.off('unhandledRejection', onUnhandled);
  expect(unhandled).toEqual([]);
});

const there = attachment('os--v');
const fakeAddress = ({ port, config }: FakeStorPool) => ({ port, auth: config['SP_AUTH_TOKEN'] ?? '' });
const CALLS = ['attach', 'detach', 'sync', 'plan'] as const;
function call(db: AttachDB, name: (typeof CALLS)[number], signal?: AbortSignal): Promise<unknown> {
  const options = signal && { signal };
  if (name === 'attach') return db.attach('a', request('os--v'), options);
  return name === 'detach' ? db.detach('a', options) : db[name]('a', null, options);
}
const API_TIMEOUT = 150;
/** The bench measures how long it takes; here it is enough that it is not the time of a request. Milliseconds. */
const A_BUSY_MACHINE = 2000;

/** How long it takes until this process and another one, which tries every 100 ms as Python does, had the lock. */
async function othersGetTheLock(): Promise<number> {
  const start = performance.now();
  const script = `for i in $(seq 100); do flock -n ${fname()} true && exit; sleep 0.1; done; exit 1`;
  const other = spawn('sh', ['-c', script]);
  const [[status]] = await Promise.all([
    once(other, 'exit'),
    make({ api: mockApi() }).add('b', request('os--w')),
  ]);
  expect(status).toBe(0);
  return performance.now() - start;
}

describe.each<[string, (socket: Socket) => void]>([
  ['is silent', () => undefined],
  [
    'sends half a reply',
    (socket) => void socket.write('HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n{"data"'),
  ],
  [
    'drips',
    (socket) => {
      socket.write('HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\n');
      const drip = setInterval(() => socket.write(' '), 20);
      socket.on('close', () => clearInterval(drip));
    },
  ],
])('beside a service that accepts and %s', (_how, reply) => {
  test.each(CALLS)('%s() leaves the lock to others, and warns once', async (name) => {
    await using server = await rawServer(reply);
    const overrideConfig = { ...settings, SP_API_HTTP_PORT: String(server.port) };
    const db = make({ overrideConfig, apiTimeout: API_TIMEOUT });
    const controller = new AbortController();
    const called = call(db, name, controller.signal).catch((error: Error) => error);
    await vi.waitFor(() => expect(server.requests.length).toBeGreaterThan(0), { interval: 1 });
    expect(await othersGetTheLock()).toBeLessThan(A_BUSY_MACHINE);
    controller.abort(new Error('enough'));
    expect(await called).toMatchObject({
      message: 'enough',
      cause: { name: 'AttachError', code: 'ETIMEDOUT', message: expect.stringContaining('within 150 ms') },
    });
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(
        new RegExp(`^${name}\\(a\\) is waiting for the API, and tries again: The API did not`),
      ),
    );
    // The requests that nobody waits for any more are ended, too.
    await vi.waitFor(() => expect(server.open.size).toBe(0));
  });
});

test('a question that hangs keeps nobody waiting when the one beside it fails, and ends in its time', async () => {
  const refusal = '{"error": {"name": "oops"}}';
  await using server = await rawServer((socket, nr) => {
    if (server.requests[nr]?.includes('/Volume/')) socket.end(`HTTP/1.0 500 No\r\n\r\n${refusal}`);
  });
  const db = make({
    apiTimeout: 200,
    overrideConfig: { ...settings, SP_API_HTTP_PORT: String(server.port) },
  });
  await expect(db.attach('b', request('os--v'))).rejects.toMatchObject({ code: 'oops' });
  expect(server.requests).toHaveLength(2);
  await vi.waitFor(() => expect(server.open.size).toBe(0));
});

test('a slow disk has taken the time: the detach is not sent, because it would be carried out without the lock', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
  const db = make({ overrideConfig: fake.config, apiTimeout: 200, apiOptions: { transientRetries: 0 } });
  await db.api().volumesReassign([{ volume: 'os--v', rw: [1] }]);
  writeCache({ a: request('os--v'), gone: request('os--gone') });
  const flush = disk.datasync;
  vi.spyOn(disk, 'datasync').mockImplementation(async (file) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await flush(file);
  });
  const reassign = vi.spyOn(db.api(), 'volumesReassign');
  await expect(db.sync('a', 'os--v')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
  expect(cache()).toEqual({ a: request('os--v') });
  expect(reassign).not.toHaveBeenCalled();
});

describe('once the time is up, nothing is sent any more', () => {
  test('by the own client, whose connection was not there yet', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    await new Api({ ...fakeAddress(fake) }).volumesReassign([{ volume: 'os--v', rw: [1] }]);
    const lookups = vi.spyOn(dns, 'lookup').mockImplementation(((_host, _options, found) => {
      // The attachments are asked for in time, the change is not sent in time.
      const late = lookups.mock.calls.length === 2 ? 340 : 0;
      setTimeout(() => found(null, [{ address: '127.0.0.1', family: 4 }] as never, 4), late);
    }) as typeof dns.lookup);
    const config = { ...fake.config, SP_API_HTTP_HOST: 'a.host' };
    const db = make({ overrideConfig: config, apiTimeout: 300, apiOptions: { transientRetries: 0 } });
    await expect(db.detach('a')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(lookups).toHaveBeenCalledTimes(2);
    expect(fake.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
  });

  test('by an injected Api, which would retry', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    const api = new Api({ ...fakeAddress(fake), transientSleep: () => 200 });
    await api.volumesReassign([{ volume: 'os--v', rw: [1] }]);
    fake.failNext('volumesReassign', 'reset', 2);
    await expect(make({ api, apiTimeout: 100 }).detach('a')).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const { length } = fake.requests;
    await new Promise((resolve) => setTimeout(resolve, 250));
    expect(fake.requests).toHaveLength(length);
  });

  test.each(['attach', 'detach', 'sync'] as const)('%s() knows that it sent nothing', async (name) => {
    const db = make({ overrideConfig: settings, apiTimeout: 60, apiOptions: { transientSleep: () => 1 } });
    const isThere = name === 'attach';
    // The loop is blocked for longer than there is time; meanwhile somebody else attaches or detaches the volume.
    const block = () => {
      const end = performance.now() + 80;
      while (performance.now() < end);
    };
    const lists = vi.spyOn(db.api(), 'attachmentsList').mockResolvedValue((isThere ? [there] : []) as never);
    lists.mockImplementationOnce(async () => {
      queueMicrotask(block);
      return (isThere ? [] : [there]) as never;
    });
    vi.spyOn(db.api(), 'volumeList').mockResolvedValue([{ name: 'os--v' }] as never);
    const reassign = vi.spyOn(db.api(), 'volumesReassign');
    device('os--v');
    if (name === 'attach') expect(await call(db, name)).toMatchObject({ alreadyAttached: true });
    if (name === 'detach') expect(await call(db, name)).toMatchObject({ outcome: 'notAttached' });
    if (name === 'sync') expect(await db.sync('a', 'os--v')).toMatchObject({ detached: null });
    expect(reassign).not.toHaveBeenCalled();
  });
});

describe('a call of the own client that a test has replaced', () => {
  test.each(CALLS)('%s() does not keep the lock when it hangs', async (name) => {
    const db = make({ overrideConfig: settings, apiTimeout: 100, apiOptions: { transientRetries: 0 } });
    vi.spyOn(db.api(), 'attachmentsList').mockReturnValue(new Promise(() => undefined));
    vi.spyOn(db.api(), 'volumeList').mockResolvedValue([]);
    await expect(call(db, name)).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    await make({ lock: { timeout: 0 } }).add('b', request('os--w'));
  });

  test.each([
    ['of its own', (api: Api) => api],
    ['of all clients', () => Api.prototype],
  ])('may use the AttachDB (%s)', async (_which, replaced) => {
    const db = make({ overrideConfig: settings, lock: { timeout: 500 } });
    vi.spyOn(replaced(db.api()), 'attachmentsList').mockImplementation(async () => {
      await db.get();
      return [];
    });
    expect(await db.detach('unknown')).toMatchObject({ outcome: 'unknownRequest' });
    expect(await db.detach('a')).toMatchObject({ outcome: 'notAttached' });
  });
});

describe('an injected api', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
  const settled = <T>(promise: Promise<T>) =>
    advanceUntilSettled(promise, () => vi.advanceTimersToNextTimerAsync());

  test.each(CALLS)('that never answers ends %s() after apiTimeout, and the lock is free', async (name) => {
    const api = mockApi();
    api.attachmentsList.mockReturnValue(new Promise(() => undefined));
    const db = make({ api });
    await expect(settled(call(db, name))).rejects.toMatchObject({
      name: 'AttachError',
      code: 'ETIMEDOUT',
      message:
        'The API did not answer attachmentsList within 8000 ms: is the management service running? If it is only slow, try again with a longer timeout (apiTimeout)',
    });
    await settled(make({ api, lock: { timeout: 0 } }).add('b', request('os--w')));
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(CALLS)('that never answers leaves no timer behind when %s() is aborted', async (name) => {
    const api = mockApi();
    api.attachmentsList.mockReturnValue(new Promise(() => undefined));
    const controller = new AbortController();
    const called = call(make({ api }), name, controller.signal);
    await vi.waitFor(() => expect(api.attachmentsList).toHaveBeenCalled(), { interval: 1 });
    controller.abort(new Error('enough'));
    await expect(called).rejects.toThrow('enough');
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0));
  });

  test.each(['resolves', 'rejects'])('whose late answer %s changes nothing', async (how) => {
    const api = workingApi(['os--v']);
    api.volumesReassign.mockImplementationOnce(async () => {
      await new Promise((resolve) => setTimeout(resolve, 9000));
      if (how === 'rejects') throw new Error('too late');
    });
    const db = make({ api });
    await expect(settled(db.attach('a', request('os--v')))).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    const before = cache();
    await vi.advanceTimersByTimeAsync(2000);
    expect(cache()).toEqual(before);
  });

  test('is waited for while it detaches by force, because that must not happen late', async () => {
    writeCache({ a: request('os--v') });
    const api = workingApi([], [attachment('os--v')]);
    const reassign = api.volumesReassign.getMockImplementation() as typeof api.volumesReassign;
    api.volumesReassign.mockImplementationOnce(async (entries) => {
      await new Promise((resolve) => setTimeout(resolve, 60_000));
      return reassign(entries);
    });
    expect(await settled(make({ api, detachRetries: 0 }).detach('a'))).toMatchObject({ outcome: 'forced' });
    expect(cache()).toEqual({});
  });

  test('that is slow has fifty volumes attached by one sync(), in holds between which others get the lock', async () => {
    vi.useRealTimers();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
    const names = Array.from({ length: 50 }, (_, at) => `os--${at}`);
    writeCache(Object.fromEntries(names.map((name) => [name, request(name)])));
    for (const name of names) device(name);
    const api = workingApi(names);
    const slowly = <T extends (...args: never[]) => Promise<unknown>>(real: T | undefined) =>
      (async (...args: never[]) => {
        await new Promise((resolve) => setTimeout(resolve, 700));
        return real?.(...args);
      }) as T;
    api.attachmentsList.mockImplementation(slowly(api.attachmentsList.getMockImplementation()));
    api.volumesReassign.mockImplementation(slowly(api.volumesReassign.getMockImplementation()));
    const db = make({ api });
    const syncing = db.sync('os--0');
    const adding = make({ api, lock: { timeout: 10_000 } }).add('b', request('os--0'));
    await settled(adding);
    expect(api.attachments.length).toBeLessThan(10);
    const { attached } = await settled(syncing);
    expect(attached.map(({ volume }) => volume)).toEqual(names);
    expect(api.volumesReassign.mock.calls.map(([[entry]]) => entry?.volume)).toEqual(names);
    expect(log.warn).not.toHaveBeenCalled();
  });
});

describe('what was sent and not answered is found out', () => {
  /** Our own client; the service carries out a reassignment, and the answer is lost. */
  async function start(detachRetries?: number) {
    const fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    const apiOptions = { transientSleep: () => 1 };
    const db = make({ overrideConfig: fake.config, deviceTimeout: 5000, apiOptions, detachRetries });
    const reassign = db.api().volumesReassign.bind(db.api());
    const loseNextAnswer = (before?: () => void) =>
      vi.spyOn(db.api(), 'volumesReassign').mockImplementationOnce(async (entries) => {
        before?.();
        await reassign(entries);
        throw new ApiConnectionError('ECONNRESET', 'the connection was reset after the service had acted');
      });
    const reassigned = () => fake.requests.filter(({ method }) => method === 'POST').length;
    return { fake, db, loseNextAnswer, reassigned, [Symbol.asyncDispose]: () => fake.close() };
  }

  test('by attach(): it was not attached before this call', async () => {
    await using host = await start();
    host.loseNextAnswer();
    expect(await host.db.attach('a', request('os--v'))).toMatchObject({ alreadyAttached: false });
    expect(host.reassigned()).toBe(1);
  });

  test.each(['detach', 'sync'] as const)('by %s(): it is detached', async (name) => {
    await using host = await start();
    await host.db.attach('a', request('os--v'));
    host.loseNextAnswer();
    if (name === 'detach') expect(await host.db.detach('a')).toMatchObject({ outcome: 'detached' });
    else expect(await host.db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: false });
    expect(host.reassigned()).toBe(2);
  });

  test.each(['detach', 'sync'] as const)(
    'by %s(): it is detached by force, with the warning before',
    async (name) => {
      await using host = await start(0);
      await host.db.attach('a', request('os--v'));
      const forced = /^os--v is detached by force for request a/;
      host.loseNextAnswer(() => {
        expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(forced));
      });
      if (name === 'detach') expect(await host.db.detach('a')).toMatchObject({ outcome: 'forced' });
      else expect(await host.db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: true });
      expect(log.warn.mock.calls.filter(([message]) => forced.test(message))).toHaveLength(1);
      expect(host.reassigned()).toBe(2);
    },
  );
});

test('64 calls that detach open volumes at once all end, and look each volume up once', async () => {
  const names = Array.from({ length: 64 }, (_, at) => `os--${at}`);
  const api = workingApi(
    [],
    names.map((name) => attachment(name)),
  );
  const reassign = api.volumesReassign.getMockImplementation() as typeof api.volumesReassign;
  api.volumesReassign.mockImplementation(async (entries) => {
    if (!entries[0]?.force) throw isOpen();
    return reassign(entries);
  });
  writeCache(Object.fromEntries(names.map((name) => [name, request(name)])));
  const db = make({ api, detachRetries: 2, detachRetryDelay: 100 });
  const outcomes = await Promise.all(names.map((name) => db.detach(name)));
  expect(new Set(outcomes.map(({ outcome }) => outcome))).toEqual(new Set(['forced']));
  expect(cache()).toEqual({});
  // One list each: what is open need not be looked up again.
  expect(api.attachmentsList).toHaveBeenCalledTimes(64);
});
