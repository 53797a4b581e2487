import { describe, expect, test } from 'vitest';
import { type Api, ApiError, type ReassignEntry } from '../../../src/index.js';
import { FakeStorPool } from '../../../src/testing/index.js';
import { failureOf } from '../../api/failure.js';
import { begin } from './cluster.js';

describe('attachments of the beginning', () => {
  test('what is not given is filled in', async () => {
    await using t = await begin({
      clientId: 3,
      attachments: [
        { volume: 'v' },
        { volume: 's' },
        { volume: 'w', client: 4, rights: 'ro' },
        { volume: 'gone', snapshot: true },
        { volume: 'v', client: 4 },
      ],
    });
    expect(t.attached()).toEqual([
      'v 3 rw volume 0',
      's 3 ro snapshot 1',
      'w 4 ro volume 0',
      'gone 3 ro snapshot 2',
      'v 4 rw volume 1',
    ]);
    const [volume] = await t.api.volumeList('v');
    expect(t.fake.attachments[0]?.globalId).toBe(volume?.globalId);
    expect(await t.api.attachmentsList()).toEqual(t.fake.attachments);
  });
});

describe.each(['volumesReassign', 'volumesReassignWait'] as const)('%s', (call) => {
  const run = (api: Api, ...reassign: unknown[]) =>
    call === 'volumesReassign'
      ? api.volumesReassign(reassign as ReassignEntry[])
      : api.volumesReassignWait({ reassign: reassign as ReassignEntry[], attachTimeout: 5 });

  test('attaches, changes the rights, and detaches', async () => {
    await using t = await begin();
    expect(await run(t.api, { volume: 'v', rw: [1], ro: [2] }, { snapshot: 's', ro: [1] })).toEqual({
      ok: true,
      generation: 2,
    });
    expect(t.attached()).toEqual(['v 1 rw volume 0', 'v 2 ro volume 0', 's 1 ro snapshot 1']);
    await run(t.api, { volume: 'v', ro: [1], rw: [2] });
    expect(t.attached()).toEqual(['v 1 ro volume 0', 'v 2 rw volume 0', 's 1 ro snapshot 1']);
    await run(t.api, { volume: 'v', detach: [1], force: false });
    expect(t.attached()).toEqual(['v 2 rw volume 0', 's 1 ro snapshot 1']);
    await run(t.api, { volume: 'w', rw: [1] });
    expect(t.attached()).toEqual(['v 2 rw volume 0', 's 1 ro snapshot 1', 'w 1 rw volume 0']);
  });

  test('detaches from everyone', async () => {
    await using t = await begin({
      attachments: [{ volume: 'v' }, { volume: 'v', client: 2 }, { volume: 'w' }],
    });
    await run(t.api, { volume: 'v', detach: 'all' });
    expect(t.attached()).toEqual(['w 1 rw volume 1']);
  });

  test('takes it for done where nothing is attached', async () => {
    await using t = await begin({ attachments: [{ volume: 'v', client: 2 }] });
    expect(await run(t.api, { volume: 'v', detach: [1] })).toMatchObject({ ok: true });
    expect(t.attached()).toEqual(['v 2 rw volume 0']);
  });

  test('moves from one client to another', async () => {
    await using t = await begin({ attachments: [{ volume: 'v' }] });
    await run(t.api, { volume: 'v', detach: [1], rw: [2] });
    expect(t.attached()).toEqual(['v 2 rw volume 0']);
  });

  test('takes global IDs', async () => {
    await using t = await begin({ volumes: [{ name: 'v', globalId: 'a.b.c' }] });
    await run(t.api, { volume: '~a.b.c', rw: [1] });
    expect(t.attached()).toEqual(['v 1 rw volume 0']);
  });

  test('takes client IDs that are strings', async () => {
    await using t = await begin();
    const entry = { volume: 'v', rw: ['7'], ro: ['8', 9] };
    const path = call === 'volumesReassign' ? 'VolumesReassign' : 'VolumesReassignWait';
    await t.api.call('POST', path, { json: call === 'volumesReassign' ? [entry] : { reassign: [entry] } });
    expect(t.attached()).toEqual(['v 7 rw volume 0', 'v 8 ro volume 0', 'v 9 ro volume 0']);
    await t.api.call('POST', 'VolumesReassign', { json: [{ volume: 'v', detach: ['7', '9'] }] });
    expect(t.attached()).toEqual(['v 8 ro volume 0']);
    const twice = t.api.call('POST', 'VolumesReassign', { json: [{ volume: 'v', rw: [7, '7'] }] });
    expect((await failureOf(twice, ApiError)).desc).toMatch(/names a client twice/u);
  });

  test('refuses clients that are not registered', async () => {
    await using t = await begin({
      clients: [2, 4095],
      clientId: 3,
      attachments: [{ volume: 'w', client: 5 }],
    });
    await run(t.api, { volume: 'v', rw: [2], ro: [3, 5, 4095] });
    for (const client of [1, 4, 6]) {
      expect(await failureOf(run(t.api, { volume: 'v', rw: [client] }), ApiError)).toMatchObject({
        status: 400,
        code: 'invalidParam',
        desc: 'No such client registered',
      });
    }
    expect(t.attached()).toHaveLength(5);
  });

  test('a snapshot and a volume of one name are two things', async () => {
    await using t = await begin({ snapshots: ['v'], attachments: [{ volume: 'v', snapshot: false }] });
    await run(t.api, { snapshot: 'v', ro: [1] });
    expect(t.attached()).toEqual(['v 1 rw volume 0', 'v 1 ro snapshot 1']);
    await run(t.api, { volume: 'v', detach: [1] });
    expect(t.attached()).toEqual(['v 1 ro snapshot 1']);
  });
});

describe('open devices', () => {
  const detach = (api: Api, force?: boolean) =>
    api.volumesReassign([{ volume: 'v', detach: [1], ...(force === undefined ? {} : { force }) }]);

  test('are not detached until they are released', async () => {
    await using t = await begin({ attachments: [{ volume: 'v' }] });
    t.fake.open('v');
    for (const force of [undefined, false]) {
      expect(await failureOf(detach(t.api, force), ApiError)).toMatchObject({
        status: 409,
        code: 'busy',
        desc: "Volume 'v' is open at client 1.",
        transient: false,
      });
    }
    expect(t.attached()).toEqual(['v 1 rw volume 0']);
    t.fake.release('v');
    await detach(t.api);
    expect(t.attached()).toEqual([]);
  });

  test('are detached by force, and no longer open when they come again', async () => {
    await using t = await begin({ attachments: [{ volume: 'v' }] });
    t.fake.open('v');
    await detach(t.api, true);
    expect(t.attached()).toEqual([]);
    await t.api.volumesReassign([{ volume: 'v', rw: [1] }]);
    await detach(t.api);
    expect(t.attached()).toEqual([]);
  });

  test('each client for itself', async () => {
    await using t = await begin({ attachments: [{ volume: 'v' }, { volume: 'v', client: 2 }] });
    t.fake.open('v', 2);
    expect(await failureOf(t.api.volumesReassign([{ volume: 'v', detach: 'all' }]), ApiError)).toMatchObject({
      code: 'busy',
      desc: "Volume 'v' is open at client 2.",
    });
    expect(t.attached()).toHaveLength(2);
    await detach(t.api);
    expect(t.attached()).toEqual(['v 2 rw volume 0']);
    t.fake.release('v', 2);
    await t.api.volumesReassign([{ volume: 'v', detach: 'all' }]);
    expect(t.attached()).toEqual([]);
  });

  test('snapshots as well', async () => {
    await using t = await begin({ clientId: 9, attachments: [{ volume: 's' }] });
    t.fake.open('s');
    const error = await failureOf(t.api.volumesReassign([{ snapshot: 's', detach: [9] }]), ApiError);
    expect(error.desc).toBe("Snapshot 's' is open at client 9.");
  });

  test('stay open under another name', async () => {
    await using t = await begin({ attachments: [{ volume: 'v' }] });
    t.fake.open('v');
    await t.api.volumeUpdate('v', { rename: 'x' });
    const error = await failureOf(t.api.volumesReassign([{ volume: 'x', detach: [1] }]), ApiError);
    expect(error).toMatchObject({ code: 'busy', desc: "Volume 'x' is open at client 1." });
  });

  test('a volume that is not there cannot be opened', async () => {
    await using fake = await FakeStorPool.start({ attachments: [{ volume: 'gone' }] });
    fake.open('gone');
    expect(() => fake.open('nope')).toThrowError("'nope' does not exist");
  });
});

test('a transient snapshot cannot be attached', async () => {
  await using t = await begin({ snapshots: [{ name: 'passing', transient: true }] });
  const attach = t.api.volumesReassign([{ snapshot: 'passing', ro: [1] }]);
  expect(await failureOf(attach, ApiError)).toMatchObject({
    code: 'invalidParam',
    desc: "VolumesReassign: 'passing' is transient and cannot be attached.",
  });
});

test('what is open at a client that does not have it attached stops nobody', async () => {
  await using t = await begin();
  t.fake.open('v');
  await t.api.volumesReassign([{ volume: 'v', detach: [1] }]);
  await t.api.volumesReassign([{ volume: 'v', rw: [1] }]);
  await t.api.volumesReassign([{ volume: 'v', detach: [1] }]);
  expect(t.attached()).toEqual([]);
});

test('a client beyond 4095 is never registered', async () => {
  await using t = await begin();
  const attach = t.api.call('POST', 'VolumesReassign', { json: [{ volume: 'v', rw: ['4096'] }] });
  expect((await failureOf(attach, ApiError)).desc).toBe('No such client registered');
  await expect(begin({ clients: [4096] })).rejects.toThrow('4096 is not a client ID');
});

test('volumesReassignWait takes a bare list, and waits for its clients', async () => {
  await using t = await begin();
  t.fake.clientOffline();
  let answered = false;
  const waiting = t.api
    .call('POST', 'VolumesReassignWait', { json: [{ volume: 'v', rw: ['1'] }] })
    .then(() => {
      answered = true;
    });
  await expect.poll(() => t.attached(), { interval: 2 }).toEqual(['v 1 rw volume 0']);
  expect(answered).toBe(false);
  t.fake.clientOnline();
  await waiting;
});

test('an attachment of the beginning is that of a volume where a snapshot has the same name', async () => {
  await using fake = await FakeStorPool.start({
    volumes: ['v'],
    snapshots: ['v'],
    attachments: [{ volume: 'v' }, { volume: 'v', client: 2, snapshot: true }],
  });
  expect(fake.attachments).toMatchObject([
    { snapshot: false, rights: 'rw' },
    { snapshot: true, rights: 'ro' },
  ]);
});
