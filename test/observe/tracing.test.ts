import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { writeFileSync } from 'node:fs';
import { format, inspect } from 'node:util';
import createDebug from 'debug';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AttachDB, type DiagnosticsEvents, SPLockedJSONDB } from '../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
const names = ['storpool:api', 'storpool:lock', 'storpool:attach', 'storpool:detach'] as const;
let events: { name: string; event: DiagnosticsEvents[keyof DiagnosticsEvents] }[] = [];
const listen = (event: unknown, name: string | symbol) => {
  events.push({ name: String(name), event: event as DiagnosticsEvents[keyof DiagnosticsEvents] });
};
beforeEach(() => {
  events = [];
  for (const name of names) subscribe(name, listen);
  writeFileSync(path('cache.json'), '{}');
});
afterEach(() => {
  for (const name of names) unsubscribe(name, listen);
  createDebug.disable();
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

const of = (name: keyof DiagnosticsEvents) =>
  events.filter((one) => one.name === name).map(({ event }) => event);
const took = { duration: expect.any(Number) };

test('attaching tells of the lock, the calls and the attachment', async () => {
  await using cluster = await start({ volumes: ['os--v'] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  await cluster.db.sync('a');
  expect(of('storpool:lock')[0]).toEqual({ fname: path('cache.json'), error: undefined, ...took });
  expect(of('storpool:api')).toMatchObject([
    { method: 'GET', path: 'AttachmentsList', bytes: expect.any(Number), error: undefined, ...took },
    { method: 'GET', path: 'Volume/os--v' },
    { method: 'POST', path: 'VolumesReassign' },
  ]);
  expect(of('storpool:attach')).toEqual([
    { volume: 'os--v', snapshot: false, rights: 2, clientId: 7, error: undefined, ...took },
  ]);
});

test.each([
  ['detached', false, {}],
  ['forced', true, {}],
  ['kept', true, { b: 'os--v' }],
] as const)('detaching tells that a volume was %s', async (outcome, open, others) => {
  await using cluster = await start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  for (const [id, volume] of Object.entries({ a: 'os--v', ...others })) {
    await cluster.db.add(id, { volume, rights: 2 });
  }
  if (open) cluster.fake.open('os--v');
  await cluster.db.sync('a', 'os--v');
  expect(of('storpool:detach')).toEqual([
    { volume: 'os--v', snapshot: false, clientId: 7, outcome, error: undefined, ...took },
  ]);
});

test('what fails tells why', async () => {
  await using cluster = await start({ volumes: ['os--v'], attachments: [{ volume: 'os--v' }] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  cluster.fake.failNext('volumesReassign', { name: 'odd', descr: 'no' });
  const error = await cluster.db.sync('a', 'os--v').catch((reason: unknown) => reason);
  expect(of('storpool:api').at(-1)).toMatchObject({ bytes: undefined, error });
  expect(of('storpool:detach')).toMatchObject([{ outcome: undefined, error }]);
  const missing = await new SPLockedJSONDB(path('missing')).get().catch((reason: unknown) => reason);
  expect(of('storpool:lock').at(-1)).toMatchObject({ fname: path('missing'), error: missing });
});

test('the same is told to DEBUG=storpool:*, and no secret with it', async () => {
  const lines: string[] = [];
  vi.spyOn(createDebug, 'log').mockImplementation((...args: unknown[]) => lines.push(format(...args)));
  createDebug.enable('storpool:*');
  await using cluster = await start({ volumes: ['os--v'] });
  await cluster.db.add('a', { volume: 'os--v', rights: 2 });
  await cluster.db.sync('a');
  cluster.fake.failNext('attachmentsList', { name: 'odd', descr: `your token is ${TOKEN}` });
  await cluster.db.sync('a').catch(() => undefined);
  const text = lines.join('\n');
  expect(text).toMatch(/storpool:api .*method=GET path=AttachmentsList bytes=\d+ in \d+ ms/);
  expect(text).toMatch(/storpool:api .*GET AttachmentsList: odd: your token is \[hidden\]/);
  expect(text).toMatch(/storpool:lock .*fname=.*cache\.json in \d+ ms/);
  expect(text).toMatch(/storpool:attachdb .*volume=os--v snapshot=false rights=2 clientId=7/);
  expect(text).toMatch(/storpool:config .*settings from overrideConfig/);
  expect(text).not.toContain(TOKEN);
  expect(inspect(events, { depth: 9 })).not.toContain(TOKEN);
});

test('a log that fails fails nothing, and keeps no lock', async () => {
  createDebug.enable('storpool:lock');
  vi.spyOn(createDebug, 'log').mockImplementation(() => {
    throw new Error('EPIPE');
  });
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const db = new SPLockedJSONDB(path('cache.json'), { timeout: 500 });
  expect(await db.get()).toEqual({});
  expect(await db.get()).toEqual({});
  expect(warn).toHaveBeenCalledWith(expect.stringMatching(/output of DEBUG=storpool:lock fails: .*EPIPE/));
});
