// Calls that wait for the lock at the same time share one hold of it.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { setImmediate as realImmediate } from 'node:timers';
import { beforeEach, expect, test, vi } from 'vitest';
import { ApiError, AttachDB, type Attachment, type LockOptions, SPLockedJSONDB } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
let fname: string;
beforeEach(() => {
  fname = path('cache.json');
  writeFileSync(fname, '{}');
  mkdirSync(path('dev'));
});

type Rights = Pick<Attachment, 'volume' | 'snapshot' | 'client' | 'rights'>;

function make(lock?: LockOptions) {
  const attachments: Rights[] = [];
  const api = {
    attachmentsList: vi.fn(async () => structuredClone(attachments)),
    volumesList: vi.fn(async () => []),
    snapshotsList: vi.fn(async () => []),
    volumeList: vi.fn(async (name: string) => [{ name }]),
    volumesReassign: vi.fn(async ([entry]: readonly { volume?: string; detach?: unknown }[]) => {
      const volume = entry?.volume ?? '';
      if (entry?.detach) attachments.splice(0);
      else attachments.push({ volume, snapshot: false, client: 1, rights: 'rw' });
    }),
  };
  const log = { warn: vi.fn() };
  const settings = { SP_OURID: '1', SP_AUTH_TOKEN: '1' };
  const db = new AttachDB({
    log,
    fname,
    overrideConfig: settings,
    api,
    deviceDir: path('dev'),
    deviceTimeout: 0,
    detachRetryDelay: 1,
    detachRetries: 2,
    lock,
  });
  return { db, api, attachments, log };
}

/** A signal that is aborted as soon as somebody reads the attachments, of which there are none. */
function abortedByReading(api: ReturnType<typeof make>['api']): AbortSignal {
  const controller = new AbortController();
  api.attachmentsList.mockImplementation(async () => {
    controller.abort(new Error('enough'));
    return [];
  });
  return controller.signal;
}

const volumes = ['os--1', 'os--2', 'os--3', 'os--4'];
const addAll = async (db: ReturnType<typeof make>['db']) => {
  for (const volume of volumes) await db.add(volume, { volume, rights: 2 });
};

test('the attachments are read once, and each volume is attached once', async () => {
  const { db, api } = make();
  await addAll(db);
  const reports = await Promise.all(volumes.map((id) => db.sync(id)));
  expect(api.attachmentsList).toHaveBeenCalledOnce();
  expect(api.volumesReassign).toHaveBeenCalledTimes(volumes.length);
  expect(reports.map(({ attached }) => attached.length)).toEqual([4, 0, 0, 0]);
});

test('each call sees what those before it have changed', async () => {
  const { db, api } = make();
  await db.add('a', { volume: 'os--1', rights: 2 });
  const [attached, detached, again] = await Promise.all([
    db.sync('a'),
    db.sync('a', 'os--1'),
    db.sync('a', 'os--1'),
  ]);
  expect(attached.attached).toHaveLength(1);
  expect(detached.detached).toBe('os--1');
  expect(again.detached).toBeNull();
  expect(api.attachmentsList).toHaveBeenCalledOnce();
});

test('each call has its own error, and after one the attachments are read anew', async () => {
  const { db, api } = make();
  await addAll(db);
  const oops = new ApiError(400, { error: { name: 'invalidParam', descr: 'oops' } });
  api.volumesReassign.mockRejectedValueOnce(oops);
  const outcomes = await Promise.allSettled([db.sync('os--1'), db.sync('nobody'), db.sync('os--2')]);
  expect(outcomes[0]).toEqual({ status: 'rejected', reason: oops });
  expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { code: 'EUNKNOWNREQUEST' } });
  expect(outcomes[2]).toMatchObject({ status: 'fulfilled', value: { attached: { length: 4 } } });
  expect(api.attachmentsList).toHaveBeenCalledTimes(2);
});

test('an error while the attachments are read is that of the call that read them', async () => {
  const { db, api } = make();
  await addAll(db);
  api.attachmentsList.mockRejectedValueOnce(new Error('not today'));
  const [first, second] = await Promise.allSettled([db.sync('os--1'), db.sync('os--2')]);
  expect(first).toMatchObject({ status: 'rejected', reason: { message: 'not today' } });
  expect(second).toMatchObject({ status: 'fulfilled' });
});

test('attachments that are a second old are read anew', async () => {
  const { db, api, attachments } = make();
  attachments.push({ volume: 'os--1', snapshot: false, client: 1, rights: 'rw' });
  await addAll(db);
  const now = performance.now.bind(performance);
  api.volumesReassign.mockImplementation(async () => {
    vi.spyOn(performance, 'now').mockImplementation(() => now() + 1500);
  });
  await Promise.all([db.sync('os--1', 'os--1'), db.sync('os--2')]);
  vi.restoreAllMocks();
  expect(api.attachmentsList).toHaveBeenCalledTimes(2);
});

test('a call that was made after add() does not get in before it', async () => {
  const { db } = make();
  await db.add('a', { volume: 'os--1', rights: 2 });
  const outcomes = await Promise.all([
    db.sync('a'),
    db.add('b', { volume: 'os--2', rights: 2 }),
    db.sync('b'),
    db.remove('b'),
    db.sync('b').catch((error: { code: string }) => error.code),
  ]);
  expect(outcomes[2]).toMatchObject({ attached: [{ volume: 'os--2' }] });
  expect(outcomes[4]).toBe('EUNKNOWNREQUEST');
});

test('inside a hold of the lock, sync() joins that', async () => {
  const { db } = make();
  const report = await db.withLock(async () => {
    await db.add('a', { volume: 'os--1', rights: 2 });
    return db.sync('a');
  });
  expect(report.attached).toHaveLength(1);
});

test('a call that is aborted while it waits leaves the others alone', async () => {
  const { db } = make();
  await addAll(db);
  const controller = new AbortController();
  await new SPLockedJSONDB(fname).withLock(async () => {
    const impatient = db.sync('os--1', null, { signal: controller.signal });
    const patient = db.sync('os--2');
    controller.abort(new Error('enough'));
    await expect(impatient).rejects.toThrow('enough');
    patient.then(() => writeFileSync(path('patient'), ''));
  });
  await vi.waitFor(() => expect(readFileSync(path('patient'), 'utf8')).toBe(''));
});

test('when all are aborted nobody waits for the lock any more', async () => {
  const { db, api } = make();
  await addAll(db);
  const controller = new AbortController();
  const { signal } = controller;
  await new SPLockedJSONDB(fname).withLock(async () => {
    const both = Promise.allSettled([db.sync('os--1', null, { signal }), db.sync('os--2', null, { signal })]);
    controller.abort(new Error('enough'));
    for (const { status } of await both) expect(status).toBe('rejected');
  });
  await db.get();
  expect(api.attachmentsList).not.toHaveBeenCalled();
});

test('each waits for the lock for its own timeout, and no longer', async () => {
  const { db } = make({ timeout: 400 });
  await addAll(db);
  const outcomes = await new SPLockedJSONDB(fname).withLock(async () => {
    const first = db.sync('os--1').catch((error: { code: string }) => error.code);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const second = db.sync('os--2');
    return { first: await first, second: [second] };
  });
  expect(outcomes.first).toBe('ELOCKED');
  expect(await outcomes.second[0]).toMatchObject({ attached: { length: 4 } });
});

test('a cache that cannot be locked is an error for all', async () => {
  const { db } = make();
  const { rmSync } = await import('node:fs');
  rmSync(fname);
  const outcomes = await Promise.allSettled([db.sync('a'), db.sync('b'), db.plan('c')]);
  for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'ENOENT' } });
});

/** The lock is somebody else's until it is given back. */
async function heldByAnother() {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held: Promise<void> | undefined;
  await new Promise<void>((isHeld) => {
    held = new SPLockedJSONDB(fname).withLock(() => {
      isHeld();
      return released;
    });
  });
  return async () => {
    release();
    await held;
  };
}
const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const codeOf = (error: { code: string }) => error.code;

test.each([
  ['in the same turn', (again: () => void) => again()],
  ['when the first has failed', (again: () => void, first: Promise<unknown>) => first.catch(again)],
])('who calls again %s after an abort is not aborted with it', async (_when, then) => {
  const { db } = make();
  await addAll(db);
  const giveBack = await heldByAnother();
  const controller = new AbortController();
  const first = db.sync('os--1', null, { signal: controller.signal });
  controller.abort(new Error('enough'));
  const second = new Promise((resolve) => then(() => resolve(db.sync('os--1')), first));
  await expect(first).rejects.toThrow('enough');
  await giveBack();
  expect(await second).toMatchObject({ attached: { length: 4 } });
});

test('the lock is free when a call has ended, and when it has failed', async () => {
  const { db } = make();
  await addAll(db);
  const isFree = () => !existsSync(`${fname}.lock`) && !existsSync(`${fname}.holder`);
  await db.sync('os--1');
  expect(isFree()).toBe(true);
  await db.sync('nobody').catch(() => undefined);
  expect(isFree()).toBe(true);
  await Promise.all([db.sync('os--1'), db.sync('os--2')]);
  expect(isFree()).toBe(true);
});

test('a call whose time is up leaves those behind it their place', async () => {
  const { db } = make({ timeout: 300 });
  await addAll(db);
  const giveBack = await heldByAnother();
  const order: string[] = [];
  const told = (who: string) => () => order.push(who);
  const first = db.sync('os--1').catch((error: Error) => error.message);
  await after(150);
  const second = db.sync('os--2').then(told('second'));
  const third = db.withLock(told('third'));
  expect(await first).toContain('within 300 ms');
  await giveBack();
  await Promise.all([second, third]);
  expect(order).toEqual(['second', 'third']);
});

test('a call that is aborted after another had to give up does nothing any more', async () => {
  const { db, api } = make({ timeout: 200 });
  await addAll(db);
  const giveBack = await heldByAnother();
  const controller = new AbortController();
  const first = db.sync('os--1').catch(codeOf);
  await after(100);
  const second = db.sync('os--2', null, { signal: controller.signal });
  expect(await first).toBe('ELOCKED');
  controller.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await giveBack();
  await db.get();
  expect(api.attachmentsList).not.toHaveBeenCalled();
});

test('who waits for the work of another waits no longer than its timeout', async () => {
  const { db, api } = make({ timeout: 100 });
  await addAll(db);
  api.attachmentsList.mockImplementation(async () => {
    await after(300);
    return [];
  });
  const [first, second] = await Promise.all([db.sync('os--1'), db.sync('os--2').catch(codeOf)]);
  expect(first).toMatchObject({ attached: { length: 4 } });
  expect(second).toBe('ELOCKED');
  expect(api.attachmentsList).toHaveBeenCalledOnce();
});

test('who waits for the work of another can be aborted', async () => {
  const { db, api } = make();
  await addAll(db);
  const signal = abortedByReading(api);
  const outcomes = await Promise.allSettled([
    db.sync('os--1'),
    db.sync('nobody', null, { signal }),
    db.sync('os--3'),
  ]);
  expect(outcomes[1]).toMatchObject({ status: 'rejected', reason: { message: 'enough' } });
  expect(outcomes[2]).toMatchObject({ status: 'fulfilled' });
});

test('calls that come one after the other while another is at work share the next hold', async () => {
  const { db, api, attachments } = make();
  await addAll(db);
  api.volumesReassign.mockImplementation(async ([entry]) => {
    await after(20);
    attachments.push({ volume: entry?.volume ?? '', snapshot: false, client: 1, rights: 'rw' });
  });
  const calls = [];
  for (const id of [...volumes, ...volumes]) {
    calls.push(db.sync(id));
    await after(5);
  }
  await Promise.all(calls);
  expect(api.attachmentsList).toHaveBeenCalledTimes(2);
});

test('what a call does under the lock it does in its own asynchronous context', async () => {
  const { db, log } = make();
  await addAll(db);
  const caller = new AsyncLocalStorage<string>();
  const callers: unknown[] = [];
  log.warn.mockImplementation(() => callers.push(caller.getStore()));
  await Promise.all([
    caller.run('first', () => db.sync('nobody 1', 'os--8')),
    caller.run('second', () => db.sync('nobody 2', 'os--9')),
  ]);
  expect(callers).toEqual(['first', 'second']);
});

test('inside a hold of the lock, a signal ends the wait for the turn', async () => {
  const { db, api } = make();
  await addAll(db);
  const signal = abortedByReading(api);
  await db.withLock(async () => {
    const first = db.sync('os--1');
    await expect(db.sync('os--2', null, { signal })).rejects.toThrow('enough');
    expect(await first).toMatchObject({ attached: { length: 4 } });
  });
});

test('a report belongs to its caller, who may change it', async () => {
  const { db } = make();
  await addAll(db);
  (await db.sync('nobody', 'os--9')).staleRequests.push('os--1');
  expect((await db.sync('nobody', 'os--9')).staleRequests).toEqual([]);
  expect(Object.keys(await db.get())).toEqual(volumes);
});

test('the device of what was attached and detached again is not waited for', async () => {
  const { db, attachments, log } = make();
  attachments.push({ volume: 'os--1', snapshot: false, client: 1, rights: 'ro' });
  await db.add('reads', { volume: 'os--1', rights: 1 });
  await db.add('reads too', { volume: 'os--1', rights: 2 });
  expect(await db.sync('reads', 'os--1')).toMatchObject({
    attached: [{ volume: 'os--1', rights: 2, device: null }],
    detached: 'os--1',
  });
  expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.stringContaining('reads too still need it'));
});

test('after an error no more volumes are asked for', async () => {
  const { db, api } = make();
  for (let nr = 0; nr < 40; nr++) await db.add(`r${nr}`, { volume: `os--${nr}`, rights: 2 });
  api.volumeList.mockImplementation(async (name: string) => {
    if (name === 'os--0') throw new Error('no permission');
    await after(1);
    return [{ name }];
  });
  await expect(db.sync('r0')).rejects.toThrow('no permission');
  await after(20);
  expect(api.volumeList).toHaveBeenCalledTimes(16);
});

test('when the lock is lost, those who shared it get one of their own, and see what has changed', async () => {
  const { db, api } = make({ timeout: 3000 });
  await addAll(db);
  const directory = `${fname}.lock`;
  api.attachmentsList.mockImplementationOnce(async () => {
    // As plain proper-lockfile does with a directory that it takes for stale.
    rmdirSync(directory);
    mkdirSync(`${directory}-other`);
    mkdirSync(directory);
    rmdirSync(`${directory}-other`);
    writeFileSync(fname, JSON.stringify({ 'os--2': { volume: 'os--2', rights: 2 } }));
    setTimeout(() => rmdirSync(directory), 50);
    return [];
  });
  const [first, second] = await Promise.allSettled([db.sync('os--1'), db.sync('os--2')]);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ECOMPROMISED' } });
  expect(second).toMatchObject({ status: 'fulfilled', value: { attached: [{ volume: 'os--2' }] } });
  expect(api.volumesReassign).toHaveBeenCalledOnce();
  expect(Object.keys(await db.get())).toEqual(['os--2']);
});

test('a large group lets others have their turn, and whoever leaves meanwhile is left out', async () => {
  const { db, attachments } = make();
  const names = Array.from({ length: 600 }, (_, nr) => `os--${nr}`);
  attachments.push(...names.map((volume) => ({ volume, snapshot: false, client: 1, rights: 'rw' as const })));
  const requests = Object.fromEntries(names.map((volume) => [volume, { volume, rights: 2 }]));
  writeFileSync(fname, JSON.stringify(requests));
  let turns = 0;
  const counting = setInterval(() => turns++, 0);
  const leaving = new AbortController();
  const all = names.map((name) => db.sync(name));
  const left = expect(db.sync('os--1', null, { signal: leaving.signal })).rejects.toThrow('enough');
  setTimeout(() => leaving.abort(new Error('enough')), 5);
  await left;
  expect(await Promise.all(all)).toHaveLength(600);
  clearInterval(counting);
  expect(turns).toBeGreaterThan(2);
});

test('under fake timers a group ends with the time that its members wait', async () => {
  const { db, api } = make();
  await addAll(db);
  api.volumesReassign.mockImplementation(() => new Promise((resolve) => setTimeout(resolve, 10)));
  vi.useFakeTimers();
  try {
    let ended = false;
    const calls = Promise.all([db.sync('os--1'), db.sync('os--2')]).then(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(volumes.length * 10);
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => realImmediate(resolve));
    expect(ended).toBe(true);
    await calls;
  } finally {
    vi.useRealTimers();
  }
});

test('whoever joins from inside of the hold of another file stays inside of it', async () => {
  const { db, api } = make();
  await addAll(db);
  writeFileSync(path('other.json'), '{"of":"mine"}');
  const other = new SPLockedJSONDB(path('other.json'));
  const outside = new AsyncResource('outside');
  const seen: unknown[] = [];
  const reassign = api.volumesReassign.getMockImplementation() as typeof api.volumesReassign;
  api.volumesReassign.mockImplementation(async (entries) => {
    if (entries[0]?.detach) seen.push(await other.get({ timeout: 0 }));
    return reassign(entries);
  });
  await other.withLock(async () => {
    const first = outside.runInAsyncScope(() => db.sync('os--1'));
    expect(await db.sync('os--2', 'os--2')).toMatchObject({ detached: 'os--2' });
    await first;
  });
  expect(seen).toEqual([{ of: 'mine' }]);
  expect(api.attachmentsList).toHaveBeenCalledTimes(1);
});
