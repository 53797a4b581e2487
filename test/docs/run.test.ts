// The code of the pages runs as plain files, in a directory like that of a project that has installed the package.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeEach, expect, test } from 'vitest';
import { useTempDir } from '../lib/temp-dir.js';
import { codeOf, PACKED } from './pages.js';

const path = useTempDir();

/** What the code takes from the text around it. */
const HOST = `
import { writeFileSync } from 'node:fs';
import { AttachDB } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';

const volumes = ['1', '2', '3', '1b4e28ba'].map((id) => 'os--volume-' + id);
export const fake = await FakeStorPool.start({ volumes, deviceDir: 'dev', clients: [1, 2] });
export const host = (name, clientId) => {
  writeFileSync(name + '.json', '{}');
  const overrideConfig = { ...fake.config, SP_OURID: clientId };
  return { log: console, fname: name + '.json', deviceDir: 'dev', overrideConfig, detachRetryDelay: 1 };
};
export const options = host('a', '1');
export const db = new AttachDB(options);
export const [reqId, volume, volumeId] = ['r1', 'os--volume-1', '1'];
`;

/** A program for PATH that logs its arguments and prints a number that grows. */
const program = (output: string) => `#!/bin/sh\necho "$@" >> log\n${output}\n`;

beforeEach(() => {
  mkdirSync(path('bin'));
  mkdirSync(path('node_modules'));
  for (const [name, to] of [
    ['storpool-spopenstack', '.'] as const,
    ['vitest', 'node_modules/vitest'] as const,
  ])
    symlinkSync(resolve(to), path(`node_modules/${name}`));
  writeFileSync(path('host.mjs'), HOST);
  writeFileSync(path('bin/blockdev'), program('echo $(($(wc -l < log) * 10737418240))'), { mode: 0o755 });
  writeFileSync(path('bin/cryptsetup'), program(''), { mode: 0o755 });
});

const node = (...args: string[]) => {
  const env = { ...process.env, PATH: `${path('bin')}:${process.env['PATH']}` };
  return promisify(execFile)(process.execPath, args, { cwd: path(), env });
};

const GUIDES = {
  readme: 'README.md',
  porting: 'guide/porting.md',
  recipes: 'guide/recipes.md',
  testing: 'guide/testing.md',
};

/** The code under a heading. */
const under = (page: string, heading: string) =>
  codeOf(page)
    .filter((block) => block.heading === heading)
    .map(({ code }) => code)
    .join('');

/** Each page and heading, with what comes before the code, and what must be true after it. */
const RUNS: [page: string, heading: string, names: string, before: string, after: string][] = [
  [
    GUIDES.readme,
    'storpool-spopenstack',
    'options',
    '',
    "assert.equal(device, 'dev/os--volume-1b4e28ba'); assert.equal(outcome, 'detached');",
  ],
  [
    GUIDES.porting,
    'With attach() and detach()',
    'options, reqId, volumeId',
    '',
    "assert.equal(device, 'dev/os--volume-1'); assert.equal(outcome, 'detached');",
  ],
  [
    GUIDES.porting,
    'Line by line',
    'db, reqId, volume',
    '',
    `assert.equal(own.state, 'attached');
     assert.deepEqual([fake.attachments, await db.get()], [[], {}]);`,
  ],
  [
    GUIDES.recipes,
    'When the owner crashes',
    'db, volume',
    `const request = (name, type = 'shim') => ({ volume: 'os--volume-' + name, type, rights: 2 });
     await db.attach('gone', request('2'));
     await db.attach('open', request('3'));
     await db.attach('theirs', request('2', 'nova'));
     fake.open('os--volume-3');
     const records = new Map([['mine', request('1')]]);
     const reports = [];
     const report = ({ code }) => reports.push(code);`,
    `assert.deepEqual(Object.keys(await db.get()), ['open', 'theirs', 'mine']);
     assert.deepEqual(reports, ['EBUSY']);
     assert.equal(fake.attachments.length, 3);`,
  ],
  [
    GUIDES.recipes,
    'Two requests for one volume on one host',
    'db, volume',
    '',
    `assert.deepEqual(first, { volume, outcome: 'shared', neededBy: ['guest-1'] });
     assert.equal(last.outcome, 'detached');`,
  ],
  [
    GUIDES.recipes,
    'Live migration',
    'db, host, volume',
    `const { AttachDB } = await import('storpool-spopenstack');
     const source = db;
     const destination = new AttachDB(host('b', '2'));
     await source.attach('guest-at-a', { volume, rights: 2 });`,
    'assert.deepEqual(fake.attachments.map(({ client }) => client), [2]);',
  ],
  [
    GUIDES.recipes,
    'A device that grows while it is attached',
    'db, volume',
    '',
    `assert.equal(fake.volumes[0].size, size);
     assert.equal(log(), '--getsize64 dev/os--volume-1\\n'.repeat(2));`,
  ],
  [
    GUIDES.recipes,
    'Encryption on top',
    'db, reqId, volume',
    "const keyFile = 'key';",
    `assert.deepEqual(fake.attachments, []);
     assert.equal(log(), 'open --key-file key dev/os--volume-1 r1\\nclose r1\\n');`,
  ],
  [
    GUIDES.recipes,
    'Health check',
    'db, reqId, volume',
    `await db.attach(reqId, { volume, rights: 2 });
     await db.add('r2', { volume: 'os--volume-9', rights: 2 });`,
    `assert.deepEqual(faults.map(({ requests, verdict }) => [requests, verdict]), [[['r2'], VERDICTS.stale]]);
     assert.deepEqual([healthy, problems], [false, []]);`,
  ],
  [
    GUIDES.recipes,
    'Metrics',
    'db, reqId, volume',
    '',
    `await db.attach(reqId, { volume, rights: 2 });
     fake.failNext('attachmentsList', { name: 'odd' });
     await db.detach(reqId).catch(() => undefined);
     await db.detach(reqId);
     assert.ok([...metrics.values()].every(({ milliseconds }) => milliseconds > 0));
     const counts = [...metrics].map(([call, { count, failures }]) => [call, [count, failures]]);
     assert.deepEqual(Object.fromEntries(counts), {
       'storpool:api GET AttachmentsList': [3, 1],
       'storpool:api GET Volume': [1, 0],
       'storpool:api POST VolumesReassign': [2, 0],
       'storpool:attach': [1, 0],
       'storpool:detach': [1, 1],
       'storpool:detach detached': [1, 0],
       'storpool:lock': [3, 0],
     });`,
  ],
];

test.each(RUNS)('%s: the code under "%s" does what it says', async (page, heading, names, before, after) => {
  const code = under(page, heading).replace('new AttachDB({ log: console })', 'new AttachDB(options)');
  const around = `import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fake, ${names} } from './host.mjs';
const log = () => readFileSync('log', 'utf8');
`;
  writeFileSync(path('run.mjs'), `${around}${before}\n${code}\n${after}\nawait fake.close();\n`);
  await node('run.mjs');
});

test('README.md: the test of a shim passes', async () => {
  writeFileSync(path('shim.test.mjs'), under(GUIDES.readme, 'Test your shim'));
  expect((await node('shim.test.mjs')).stdout).toMatch(/^(?:#|ℹ) pass 1$/mu);
});

const CONFIGURATION = 'Test runners and bundlers';

test('guide/testing.md: the tests pass', async () => {
  const blocks = codeOf(GUIDES.testing).filter(({ heading }) => heading !== CONFIGURATION);
  writeFileSync(path('shim.test.mjs'), blocks.map(({ code }) => code).join('\n'));
  const { stdout } = await node(resolve('node_modules/vitest/vitest.mjs'), 'run', '--root', path());
  expect(stdout).toMatch(/Tests .*3 passed/u);
});

test('no code is left out', () => {
  const known = new Set(RUNS.map(([page, heading]) => `${page}: ${heading}`));
  const others = PACKED.flatMap((page) => codeOf(page).map(({ heading }) => `${page}: ${heading}`));
  const left = new Set(others.filter((where) => !known.has(where) && !where.startsWith(GUIDES.testing)));
  expect([...left]).toEqual([`${GUIDES.readme}: Test your shim`]);
});

test('examples/opentelemetry.mjs makes spans that nest', async () => {
  cpSync(resolve('examples/opentelemetry.mjs'), path('opentelemetry.mjs'));
  mkdirSync(path('node_modules/@opentelemetry/api'), { recursive: true });
  writeFileSync(
    path('node_modules/@opentelemetry/api/index.mjs'),
    `export const ended = [];
     export const SpanStatusCode = { ERROR: 2 };
     export const context = { active: () => ({}) };
     const startSpan = (name, _options, { span: parent } = {}) => {
       const span = { name, setAttributes: (all) => Object.assign(span, all), setStatus: (status) => Object.assign(span, { status }) };
       span.end = () => ended.push([parent?.name, name, span.path ?? span.volume, span.status?.code]);
       return span;
     };
     export const trace = { getTracer: () => ({ startSpan }), getActiveSpan: () => undefined, setSpan: (_, span) => ({ span }) };`,
  );
  writeFileSync(
    path('node_modules/@opentelemetry/api/package.json'),
    JSON.stringify({ name: '@opentelemetry/api', type: 'module', exports: './index.mjs' }),
  );
  writeFileSync(
    path('run.mjs'),
    `import './opentelemetry.mjs';
     import { ended } from '@opentelemetry/api';
     import { db, fake, volume } from './host.mjs';
     fake.failNext('volumesReassign', { name: 'odd' });
     await db.attach('r1', { volume, rights: 2 }).catch(() => undefined);
     console.log(JSON.stringify(ended));
     await fake.close();`,
  );
  const { stdout } = await node('run.mjs');
  expect(JSON.parse(stdout)).toEqual([
    ['storpool:attach', 'storpool:lock', null, null],
    ['storpool:attach', 'storpool:api', 'AttachmentsList', null],
    ['storpool:attach', 'storpool:api', 'Volume/os--volume-1', null],
    ['storpool:attach', 'storpool:api', 'VolumesReassign', 2],
    [null, 'storpool:attach', 'os--volume-1', 2],
  ]);
});
