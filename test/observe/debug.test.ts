import { writeFileSync } from 'node:fs';
import { format } from 'node:util';
import createDebug from 'debug';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AttachDB, SPLockedJSONDB } from '../../src/index.js';
import { debugOutput } from '../../src/observe/debug.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const TOKEN = '8675309123456789';
const path = useTempDir();
let lines: string[] = [];

beforeEach(() => {
  lines = [];
  vi.spyOn(createDebug, 'log').mockImplementation((...args: unknown[]) => lines.push(format(...args)));
  writeFileSync(path('cache.json'), '{}');
});
afterEach(() => {
  createDebug.disable();
  vi.restoreAllMocks();
});

test('DEBUG=storpool:* shows each operation with its duration and error, and no secret', async () => {
  createDebug.enable('storpool:*');
  await using fake = await FakeStorPool.start({
    token: TOKEN,
    deviceDir: path('dev'),
    clientId: 7,
    volumes: ['os--v'],
  });
  const db = new AttachDB({
    log: { warn: () => undefined },
    fname: path('cache.json'),
    overrideConfig: fake.config,
    deviceDir: path('dev'),
  });
  await db.add('a', { volume: 'os--v', rights: 2 });
  await db.sync('a');
  fake.failNext('attachmentsList', { name: 'odd', descr: `your token is ${TOKEN}` });
  await db.sync('a').catch(() => undefined);
  const output = lines.join('\n');
  expect(output).toMatch(
    /storpool:api .*method=GET path=AttachmentsList attempt=1 status=200 bytes=\d+ in \d+ ms/,
  );
  expect(output).toMatch(/storpool:api .* in \d+ ms: GET AttachmentsList: odd: your token is \[hidden\]/);
  expect(output).toMatch(/storpool:lock .*fname=.*cache\.json in \d+ ms/);
  expect(output).toMatch(
    /storpool:attachdb .*reqId=a volume=os--v snapshot=false rights=2 clientId=7 in \d+ ms/,
  );
  expect(output).toMatch(/storpool:config .*settings from overrideConfig/);
  // The plan, and in it what a list of lists holds.
  expect(output).toMatch(/requests: \[ 'a' \]/);
  expect(output).not.toContain(TOKEN);
});

test('what is logged is shown to its end, on one line', () => {
  createDebug.enable('storpool:test');
  const long = Array.from({ length: 150 }, (_, at) => ({ at, deep: { requests: [['the last']] } }));
  debugOutput('storpool:test')('%j: %O', 'name', long);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain('\n');
  expect(lines[0]).toContain('storpool:test');
  expect(lines[0]).toContain('"name": [ { at: 0');
  expect(lines[0]).toContain("{ at: 149, deep: { requests: [ [ 'the last' ] ] } }");
});

test('nothing is formatted when nobody reads', () => {
  const format = vi.fn();
  const output = debugOutput('storpool:test');
  output('%O', { [Symbol.for('nodejs.util.inspect.custom')]: format });
  expect(output.enabled).toBe(false);
  expect(format).not.toHaveBeenCalled();
});

test('output that fails fails nothing, and keeps no lock', async () => {
  createDebug.enable('storpool:lock');
  vi.mocked(createDebug.log).mockImplementation(() => {
    throw new Error('EPIPE');
  });
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const db = new SPLockedJSONDB(path('cache.json'), { timeout: 500 });
  expect(await db.get()).toEqual({});
  expect(await db.get()).toEqual({});
  expect(warn).toHaveBeenCalledWith(
    expect.stringMatching(/Cannot write the output of DEBUG=storpool:lock: .*EPIPE/),
  );
});
