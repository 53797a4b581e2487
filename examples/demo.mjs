// The main job from beginning to end on a built-in fake cluster: npm run demo
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { styleText } from 'node:util';
import { AttachDB, AttachError } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';

const inColour = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (style, text) => (inColour ? styleText(style, text) : text);
const say = (line = '') => console.log(line);

function table(title, columns, rows) {
  say(paint('dim', `  ${title}`));
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at].length)));
  for (const [line, row] of cells.entries()) {
    const text = row.map((cell, at) => cell.padEnd(widths[at])).join('  ');
    say(`    ${line === 0 ? paint('dim', text.trimEnd()) : text.trimEnd()}`);
  }
  if (rows.length === 0) say('    (none)');
}

const root = await mkdtemp(join(tmpdir(), 'storpool-demo-'));
const fname = join(root, 'openstack-attach.json');
const deviceDir = join(root, 'dev');
await writeFile(fname, '{}');
const fake = await FakeStorPool.start({
  volumes: ['os--volume-1', 'os--volume-2'],
  snapshots: ['os--volsnap-1--req-3'],
  clientId: 42,
  deviceDir,
  deviceDelay: 50,
});
const log = { warn: (message) => say(`  ${paint('yellow', 'warning:')} ${message}`) };
const db = new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config, detachRetryDelay: 20 });

let seen = 0;
let steps = 0;
let surprises = 0;

function wire() {
  const rows = [];
  for (const { method, path, body } of fake.requests.slice(seen)) {
    const row = [method, path.replace('/ctrl/1.0/', ''), body === undefined ? '' : JSON.stringify(body)];
    const last = rows.at(-1);
    if (last && row.every((cell, at) => cell === last[at])) last[3]++;
    else rows.push([...row, 1]);
  }
  seen = fake.requests.length;
  table(
    'over the wire',
    ['method', 'call', 'argument', 'times'],
    rows.map(([method, call, argument, times]) => [method, call, argument || '-', times]),
  );
}

async function state() {
  const cache = Object.entries(JSON.parse(await readFile(fname, 'utf8')));
  table(
    'requests in the cache',
    ['request', 'volume', 'rights'],
    cache.map(([id, { volume, rights }]) => [id, volume, rights === 2 ? 'rw' : 'ro']),
  );
  table(
    'attached to client 42',
    ['volume', 'rights', 'kind'],
    fake.attachments.map(({ volume, rights, snapshot }) => [
      volume,
      rights,
      snapshot ? 'snapshot' : 'volume',
    ]),
  );
}

async function step(title, run, expected) {
  say();
  say(paint('bold', `${++steps}. ${title}`));
  const result = await run();
  wire();
  await state();
  const ok = expected(result);
  if (!ok) surprises++;
  say(
    `  ${ok ? paint('green', 'as it should be') : paint('red', 'NOT as it should be')}: ${describe(result)}`,
  );
}

const describe = (result) =>
  result instanceof Error
    ? `${result.code}: ${result.message}`
    : JSON.stringify(result).replaceAll(`${root}/`, '');

const request = (id, volume, rights, volsnap = false) => ({ volume, type: 'demo', id, rights, volsnap });

try {
  say(`A fake StorPool cluster listens on 127.0.0.1:${fake.port}; the cache is ${fname}.`);

  await step(
    'Request r1 attaches a volume; r9 asks for one that the cluster does not have, and is dropped',
    async () => {
      await db.add('r1', request('r1', 'os--volume-1', 2));
      await db.add('r9', request('r9', 'os--volume-9', 2));
      return db.sync('r1');
    },
    ({ attached, staleRequests }) => attached[0]?.device !== null && staleRequests.join() === 'r9',
  );

  await step(
    'Request r3 attaches a snapshot read-only',
    async () => {
      await db.add('r3', request('r3', 'os--volsnap-1--req-3', 1, true));
      return db.sync('r3');
    },
    ({ attached }) => attached[0]?.snapshot === true,
  );

  await step(
    'Request r4 wants that snapshot read/write, which is refused',
    async () => {
      await db.add('r4', request('r4', 'os--volsnap-1--req-3', 2, true));
      const error = await db.sync('r4').catch((refusal) => refusal);
      await db.remove('r4');
      return error;
    },
    (error) => error instanceof AttachError && error.code === 'ESNAPSHOTRW',
  );

  await step(
    'Requests r2 and r5 share a volume that a virtual machine has open: r2 lets go, the volume is kept',
    async () => {
      await db.add('r2', request('r2', 'os--volume-2', 2));
      await db.add('r5', request('r5', 'os--volume-2', 2));
      await db.sync('r2');
      fake.open('os--volume-2');
      const report = await db.sync('r2', 'os--volume-2');
      await db.remove('r2');
      return report;
    },
    ({ kept, forced }) => kept?.neededBy.join() === 'r5' && !forced,
  );

  await step(
    'Request r1 lets go of a volume that stays open: after ten retries it is detached by force',
    async () => {
      fake.open('os--volume-1');
      const report = await db.sync('r1', 'os--volume-1');
      await db.remove('r1');
      return report;
    },
    ({ detached, forced }) => detached === 'os--volume-1' && forced,
  );
} finally {
  await fake.close();
  await rm(root, { recursive: true });
}

say();
say(
  surprises === 0
    ? paint('green', 'All steps went as they should.')
    : paint('red', `${surprises} steps did not.`),
);
process.exitCode = surprises === 0 ? 0 : 1;
