import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Api, AttachDB, type DiagnosticsEvents, SPLockedJSONDB } from '../../src/index.js';
import { traced } from '../../src/observe/tracing.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
const names = ['storpool:api', 'storpool:lock', 'storpool:attach', 'storpool:detach'] as const;
type Name = keyof DiagnosticsEvents;

/** All that was published, in order; the contexts as they were at that time. */
let published: { name: Name; what: string; context: object }[] = [];
const subscribers = names.map((name) => {
  const on = (what: string) => (context: object) =>
    void published.push({ name, what, context: { ...context } });
  return {
    name,
    listeners: {
      start: on('start'),
      end: on('end'),
      asyncStart: on('asyncStart'),
      asyncEnd: on('asyncEnd'),
      error: on('error'),
    },
  };
});

beforeEach(() => {
  published = [];
  for (const { name, listeners } of subscribers) tracingChannel(name).subscribe(listeners);
  writeFileSync(path('cache.json'), '{}');
});
afterEach(() => {
  for (const { name, listeners } of subscribers) tracingChannel(name).unsubscribe(listeners);
  vi.restoreAllMocks();
});

const TOKEN = '8675309123456789';

async function start(cluster: FakeStorPoolOptions) {
  const fake = await FakeStorPool.start({ token: TOKEN, deviceDir: path('dev'), clientId: 7, ...cluster });
  const db = new AttachDB({
    log: { warn: () => undefined },
    fname: path('cache.json'),
    overrideConfig: fake.config,
    deviceDir: path('dev'),
    detachRetries: 2,
    detachRetryDelay: 1,
  });
  return { fake, db, [Symbol.asyncDispose]: () => fake.close() };
}

/** The contexts of the operations that have ended. */
/** How long an operation took differs. */
const duration = expect.any(Number);

const ended = (name: Name) =>
  published.filter((one) => one.name === name && one.what === 'asyncEnd').map(({ context }) => context);

test('attaching traces the lock, the requests and the attachment', async () => {
  await using cluster = await start({ volumes: ['os--v'] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  await cluster.db.sync('a');
  expect(ended('storpool:lock')[0]).toEqual({ fname: path('cache.json'), duration });
  const answered = { attempt: 1, status: 200, bytes: expect.any(Number), duration };
  expect(ended('storpool:api')).toEqual([
    { method: 'GET', path: 'AttachmentsList', ...answered },
    { method: 'GET', path: 'Volume/os--v', ...answered },
    { method: 'POST', path: 'VolumesReassign', ...answered },
  ]);
  expect(ended('storpool:attach')).toEqual([
    { reqId: 'a', volume: 'os--v', snapshot: false, rights: 2, clientId: 7, duration },
  ]);
});

test.each([
  ['detached', false, {}],
  ['forced', true, {}],
  ['kept', true, { b: 'os--v' }],
] as const)('detaching traces that a volume was %s', async (outcome, open, others) => {
  await using cluster = await start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  for (const [id, volume] of Object.entries({ a: 'os--v', ...others })) {
    await cluster.db.add(id, { volume, rights: 2 });
  }
  if (open) cluster.fake.open('os--v');
  await cluster.db.sync('a', 'os--v');
  const facts = { reqId: 'a', volume: 'os--v', snapshot: false, clientId: 7, duration };
  expect(ended('storpool:detach').at(-1)).toEqual({ ...facts, outcome });
  // Each attempt at a volume that is open is one operation.
  const before = ended('storpool:detach').slice(0, -1);
  expect(before).toEqual(before.map(() => ({ ...facts, outcome: 'open' })));
  expect(before.length > 0).toBe(open);
});

test('what fails is published with its error', async () => {
  await using cluster = await start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  cluster.fake.failNext('volumesReassign', { name: 'odd', descr: `your token is ${TOKEN}` });
  const error = await cluster.db.sync('a', 'os--v').catch((reason: unknown) => reason);
  expect(ended('storpool:api').at(-1)).toMatchObject({
    path: 'VolumesReassign',
    status: 500,
    error,
    duration,
  });
  expect(ended('storpool:detach')).toEqual([
    { reqId: 'a', volume: 'os--v', snapshot: false, clientId: 7, error, duration },
  ]);
  const missing = await new SPLockedJSONDB(path('missing')).get().catch((reason: unknown) => reason);
  expect(ended('storpool:lock').at(-1)).toEqual({ fname: path('missing'), error: missing, duration });
  expect(inspect(published, { depth: 9 })).not.toContain(TOKEN);
});

test('attach() and detach() are one operation each, with the requests inside', async () => {
  await using cluster = await start({ volumes: ['os--v'], deviceDir: path('dev') });
  await cluster.db.attach('a', { volume: 'os--v', rights: 2 });
  await cluster.db.detach('a');
  await cluster.db.detach('a');
  const facts = { reqId: 'a', volume: 'os--v', clientId: 7, duration };
  expect(ended('storpool:attach')).toEqual([{ ...facts, snapshot: false, rights: 2 }]);
  expect(ended('storpool:detach')).toEqual([
    { ...facts, snapshot: false, outcome: 'detached', neededBy: [] },
    { ...facts, volume: null, outcome: 'unknownRequest', neededBy: [] },
  ]);
});

test('a detach() that fails tells of which volume', async () => {
  await using cluster = await start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  cluster.fake.failNext('volumesReassign', { name: 'odd' });
  const error = await cluster.db.detach('a').catch((reason: unknown) => reason);
  const facts = { reqId: 'a', volume: 'os--v', snapshot: false, clientId: 7, duration };
  expect(ended('storpool:detach')).toEqual([{ ...facts, error }]);
});

test('the spans of a tracer nest', async () => {
  const spans = new AsyncLocalStorage<string>();
  const parents: Record<string, string | undefined> = {};
  const bound = (name: Name, span: (context: object) => string) => {
    const { start } = tracingChannel(name);
    start.bindStore(spans, (context: object) => {
      parents[span(context)] = spans.getStore();
      return span(context);
    });
    return () => start.unbindStore(spans);
  };
  const unbind = [
    bound('storpool:api', (context) => (context as DiagnosticsEvents['storpool:api']).path),
    bound('storpool:attach', () => 'attach'),
  ];
  await using cluster = await start({ volumes: ['os--v'] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  await spans.run('my own', () => cluster.db.sync('a'));
  for (const undo of unbind) undo();
  expect(parents).toMatchObject({
    AttachmentsList: 'my own',
    attach: 'my own',
    VolumesReassign: 'attach',
  });
});

test('a call that is retried makes an operation of each request', async () => {
  await using cluster = await start({});
  cluster.fake.failNext('volumesList', { name: 'later', descr: 'not now', transient: true });
  await Api.fromConfig(cluster.db.config(), { transientSleep: () => 1 }).volumesList();
  expect(ended('storpool:api')).toMatchObject([
    { path: 'VolumesList', attempt: 1, status: 500, error: { code: 'later' } },
    { path: 'VolumesList', attempt: 2, status: 200, bytes: expect.any(Number) },
  ]);
});

test('results are not published, and reach the caller', async () => {
  const context = { fname: 'f' };
  const result = { private: true };
  expect(await traced('storpool:lock', context, async () => result)).toBe(result);
  expect(published.map(({ what }) => what)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
  expect(JSON.stringify(published)).not.toContain('private');
});
