// Who leaves a shared hold, by a signal, a time-out or an error, leaves the others theirs.
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { heldByAnother } from '../lib/held-by-another.js';
import { abortedByReading, addAll, after, codeOf, fname, make, useCache } from './sharing.js';

const path = useCache();

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
  await vi.waitFor(() => expect(readFileSync(path('patient'), 'utf8')).toBe(''), 15_000);
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

test.each([
  ['in the same turn', (again: () => void) => again()],
  ['when the first has failed', (again: () => void, first: Promise<unknown>) => first.catch(again)],
])('who calls again %s after an abort is not aborted with it', async (_when, then) => {
  const { db } = make();
  await addAll(db);
  const giveBack = await heldByAnother(fname);
  const controller = new AbortController();
  const first = db.sync('os--1', null, { signal: controller.signal });
  controller.abort(new Error('enough'));
  const second = new Promise((resolve) => then(() => resolve(db.sync('os--1')), first));
  await expect(first).rejects.toThrow('enough');
  await giveBack();
  expect(await second).toMatchObject({ attached: { length: 4 } });
});

test('a call whose time is up leaves those behind it their place', async () => {
  const { db } = make({ timeout: 300 });
  await addAll(db);
  const giveBack = await heldByAnother(fname);
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
  const giveBack = await heldByAnother(fname);
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
