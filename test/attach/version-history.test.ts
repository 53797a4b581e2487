// What each version of the reference brought, which a port must keep.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import {
  Api,
  ApiError,
  type AttachDBOptions,
  SPConfig,
  SPLockedFileError,
  SPLockedJSONDB,
} from '../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { request, useAttachDB } from '../lib/attach-db.js';

const { path, log, fname, make } = useAttachDB();

async function start(cluster: FakeStorPoolOptions, options: Partial<AttachDBOptions> = {}) {
  const fake = await FakeStorPool.start({ deviceDir: path('dev'), ...cluster });
  const db = make({ overrideConfig: fake.config, detachRetryDelay: 1, deviceTimeout: 10_000, ...options });
  return { fake, db, [Symbol.asyncDispose]: () => fake.close() };
}
const V_ATTACHED = { volumes: ['os--v'], attachments: [{ volume: 'os--v' }] };

const reassigned = (fake: FakeStorPool) =>
  fake.requests.filter(({ method }) => method === 'POST').map(({ body }) => (body as object[])[0]);
const attachedNames = (fake: FakeStorPool) => fake.attachments.map(({ volume }) => volume);

describe('1.0.1', () => {
  test('waits for every user of a volume to release it before it detaches', async () => {
    await using cluster = await start(V_ATTACHED);
    const { fake, db } = cluster;
    await db.add('a', request('os--v'));
    fake.open('os--v');
    const reassigns = () => reassigned(fake).length;
    const syncing = db.sync('a', 'os--v');
    await vi.waitFor(() => expect(reassigns()).toBeGreaterThan(1), { interval: 1, timeout: 15_000 });
    fake.release('os--v');
    expect(await syncing).toMatchObject({ detached: 'os--v', forced: false });
  });

  test('tries again only while the volume is open, any other error is fatal', async () => {
    await using cluster = await start(V_ATTACHED);
    const { fake, db } = cluster;
    await db.add('a', request('os--v'));
    fake.failNext('volumesReassign', { name: 'invalidParam', descr: 'Something else' });
    await expect(db.sync('a', 'os--v')).rejects.toMatchObject({ code: 'invalidParam' });
    expect(reassigned(fake)).toHaveLength(1);
  });
});

describe('1.0.3', () => {
  test('ignores unknown requests on detach, with a warning', async () => {
    await using cluster = await start(V_ATTACHED);
    expect(await cluster.db.sync('nobody', 'os--v')).toEqual({
      attached: [],
      staleRequests: [],
      detached: null,
      forced: false,
      kept: null,
      own: null,
    });
    expect(attachedNames(cluster.fake)).toEqual(['os--v']);
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringMatching(/Request nobody is not in/));
  });
});

describe('2.0.0', () => {
  test('forces the last attempt to detach, without an error that it is in use', async () => {
    await using cluster = await start(V_ATTACHED);
    const { fake, db } = cluster;
    await db.add('a', request('os--v'));
    fake.open('os--v');
    expect(await db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: true });
    expect(reassigned(fake).map((entry) => (entry as { force: boolean }).force)).toEqual([
      ...Array.from({ length: 10 }, () => false),
      true,
    ]);
  });
});

describe('2.1.0', () => {
  test('has removeKeys()', async () => {
    const db = new SPLockedJSONDB(fname());
    for (const key of ['a', 'b', 'c']) await db.add(key, 1);
    await db.removeKeys(['a', 'c', 'x']);
    expect(await db.get()).toEqual({ b: 1 });
  });

  test('drops stale requests from the cache', async () => {
    await using cluster = await start({ volumes: ['os--v'] });
    await cluster.db.add('a', request('os--v'));
    await cluster.db.add('stale', request('os--gone'));
    expect(await cluster.db.sync('a')).toMatchObject({ staleRequests: ['stale'] });
    expect(Object.keys(await cluster.db.get())).toEqual(['a']);
  });
});

describe('2.1.1', () => {
  test('detaches nothing outside the prefix', async () => {
    await using cluster = await start({ volumes: ['vm'], attachments: [{ volume: 'vm' }] });
    await cluster.db.add('a', request('vm'));
    expect(await cluster.db.sync('a', 'vm')).toMatchObject({ detached: null });
    expect(attachedNames(cluster.fake)).toEqual(['vm']);
  });

  test('does not take requests for snapshots for stale', async () => {
    await using cluster = await start({ snapshots: ['os--s'] });
    await cluster.db.add('s', request('os--s', { rights: 1, volsnap: true }));
    expect(await cluster.db.sync('s')).toMatchObject({ staleRequests: [], attached: [{ volume: 'os--s' }] });
  });

  test('waits ten times a fifth of a second before it forces', async () => {
    await using cluster = await start(
      { volumes: ['os--v'], attachments: [{ volume: 'os--v' }] },
      { detachRetryDelay: undefined },
    );
    const { fake, db } = cluster;
    await db.add('a', request('os--v'));
    fake.open('os--v');
    const waits: unknown[] = [];
    const real = globalThis.setTimeout;
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((run: () => void, ms?: number) => {
      if (ms === 200) waits.push(ms);
      return real(run, ms === 200 ? 0 : ms);
    }) as typeof setTimeout);
    try {
      await db.sync('a', 'os--v');
    } finally {
      vi.restoreAllMocks();
    }
    expect(waits).toHaveLength(10);
  });
});

describe('2.2.1', () => {
  test('gives the port of the configuration to the API client as a number, and makes it from there', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    expect(fake.config['SP_API_HTTP_PORT']).toBe(String(fake.port));
    const api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
    expect(await api.volumesList()).toMatchObject([{ name: 'os--v' }]);
    expect(() => new Api({ auth: '1', port: '81' as unknown as number })).toThrow(/"81" is not a port/);
  });
});

describe('3.0.0 and 3.0.1', () => {
  test('neither detach nor downgrade what they do not recognize: services in several containers share a host', async () => {
    await using cluster = await start({
      volumes: ['os--mine', 'os--theirs', 'os--ro'],
      attachments: [{ volume: 'os--mine' }, { volume: 'os--theirs' }, { volume: 'os--ro', rights: 'rw' }],
    });
    const { fake, db } = cluster;
    await db.add('a', request('os--mine'));
    await db.add('b', request('os--ro', { rights: 1 }));
    await db.sync('a', 'os--mine');
    expect(fake.attachments).toMatchObject([
      { volume: 'os--theirs', rights: 'rw' },
      { volume: 'os--ro', rights: 'rw' },
    ]);
    expect(reassigned(fake)).toEqual([{ volume: 'os--mine', detach: [1], force: false }]);
  });
});

describe('3.1.0', () => {
  test('raises unexpected API errors', async () => {
    await using cluster = await start({ volumes: ['os--v'] });
    await cluster.db.add('a', request('os--v'));
    cluster.fake.failNext('volumesReassign', { name: 'odd', descr: 'Never seen before' });
    const attempt = cluster.db.sync('a');
    await expect(attempt).rejects.toThrow(ApiError);
    await expect(attempt).rejects.toMatchObject({ code: 'odd', desc: 'Never seen before' });
  });

  test.each(['busy', 'invalidParam'])('takes %s for contention', async (name) => {
    await using cluster = await start(V_ATTACHED);
    await cluster.db.add('a', request('os--v'));
    cluster.fake.failNext('volumesReassign', { name, descr: "Volume 'os--v' is open at client 1." }, 3);
    expect(await cluster.db.sync('a', 'os--v')).toMatchObject({ detached: 'os--v', forced: false });
    expect(reassigned(cluster.fake)).toHaveLength(4);
  });

  test('lets a failed lock be tried again', async () => {
    const db = new SPLockedJSONDB(fname(), { timeout: 20 });
    await new SPLockedJSONDB(fname()).withLock(async () => {
      await expect(db.get()).rejects.toThrow(SPLockedFileError);
    });
    expect(await db.get()).toEqual({});
  });

  test('locks the file itself, which must exist', async () => {
    await expect(new SPLockedJSONDB(path('missing.json')).get()).rejects.toMatchObject({ code: 'ENOENT' });
    expect(readdirSync(path()).sort()).toEqual(['dev', 'openstack-attach.json']);
    await new SPLockedJSONDB(fname()).withLock(() => {
      expect(readFileSync('/proc/locks', 'utf8')).toMatch(/FLOCK .* WRITE/);
    });
  });
});

test('3.2.0 does without SP_OURID as long as sync() is never called', async () => {
  const db = make({ overrideConfig: { SP_AUTH_TOKEN: '1' } });
  await db.add('a', request(db.volumeName('1')));
  await db.remove('a');
  await expect(db.sync('a')).rejects.toMatchObject({ code: 'ENOCLIENTID' });
});
