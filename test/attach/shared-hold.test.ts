// Calls that wait for the lock at the same time share one hold of it.
import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { existsSync, writeFileSync } from 'node:fs';
import { setImmediate as realImmediate } from 'node:timers';
import { expect, test, vi } from 'vitest';
import { ApiError, SPLockedJSONDB } from '../../src/index.js';
import { addAll, after, fname, make, useCache, volumes } from './sharing.js';

const path = useCache();

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
