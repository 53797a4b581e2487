// The main job from beginning to end on a built-in fake cluster: npm run demo
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { styleText } from 'node:util';
import { AttachDB } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';

const inColour = process.stdout.isTTY && !process.env.NO_COLOR;
const paint = (style, text) => (inColour ? styleText(style, text, { validateStream: false }) : text);
const say = (line = '') => console.log(line);

const root = await mkdtemp(join(tmpdir(), 'storpool-demo-'));
const fname = join(root, 'openstack-attach.json');
const deviceDir = join(root, 'dev');
await writeFile(fname, '{}');
const fake = await FakeStorPool.start({
  volumes: ['os--volume-1', 'os--volume-2'],
  snapshots: ['os--volsnap-1'],
  clientId: 42,
  deviceDir,
  deviceDelay: 50,
});
const log = { warn: () => {} };
const db = new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config, detachRetryDelay: 20 });

const rows = [];
let surprises = 0;

/** Says what happens, does it, and notes down a row for the table. */
async function step(words, shown, run, expected) {
  const before = fake.requests.length;
  const start = performance.now();
  let answer;
  try {
    const result = await run();
    answer = result.outcome ?? `${result.alreadyAttached ? 'there already' : 'attached'}, device ready`;
  } catch (error) {
    answer = error.code;
  }
  const time = `${(performance.now() - start).toFixed(0)} ms`;
  const ok = answer === expected;
  if (!ok) surprises++;
  say(`  ${ok ? paint('green', '✓') : paint('red', '✗')} ${words}`);
  rows.push([shown, ok ? answer : `${answer}, not ${expected}`, fake.requests.length - before, time]);
}

function table(columns, alignRight) {
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, at) => Math.max(...cells.map((row) => row[at].length)));
  for (const [line, row] of cells.entries()) {
    const padded = row.map((cell, at) =>
      alignRight.includes(at) ? cell.padStart(widths[at]) : cell.padEnd(widths[at]),
    );
    say(`  ${paint(line === 0 ? 'bold' : 'reset', padded.join('  ').trimEnd())}`);
  }
}

const readWrite = { volume: 'os--volume-1', rights: 2 };
const shared = { volume: 'os--volume-2', rights: 2 };
const snapshot = { volume: 'os--volsnap-1', rights: 1, volsnap: true };

try {
  say(paint('bold', 'Several services of one host attach StorPool volumes through one cache file.'));
  say('The cluster is a fake one, inside of this program. Devices appear after 50 ms.\n');

  await step(
    'Cinder attaches a volume, and gets the path of its device.',
    "attach('cinder-1', volume 1)",
    () => db.attach('cinder-1', readWrite),
    'attached, device ready',
  );
  await step(
    'Nova attaches a snapshot, read-only.',
    "attach('nova-1', snapshot)",
    () => db.attach('nova-1', snapshot),
    'attached, device ready',
  );
  await step(
    'Nova asks for the snapshot read/write: refused before anything is sent.',
    "attach('nova-2', snapshot)",
    () => db.attach('nova-2', { ...snapshot, rights: 2 }),
    'ESNAPSHOTRW',
  );
  await step(
    'Nova asks for a volume that the cluster does not have.',
    "attach('nova-3', volume 9)",
    () => db.attach('nova-3', { volume: 'os--volume-9', rights: 2 }),
    'ENOVOLUME',
  );
  await step(
    'Nova attaches another volume, which a virtual machine opens.',
    "attach('nova-4', volume 2)",
    async () => {
      const attached = await db.attach('nova-4', shared);
      fake.open('os--volume-2');
      return attached;
    },
    'attached, device ready',
  );
  await step(
    'Cinder needs that volume too: it is there already.',
    "attach('cinder-2', volume 2)",
    () => db.attach('cinder-2', shared),
    'there already, device ready',
  );
  await step(
    'Cinder is done with it: it stays attached, because Nova needs it.',
    "detach('cinder-2')",
    () => db.detach('cinder-2'),
    'shared',
  );
  await step(
    'Nova is done, but the virtual machine hangs: after 10 retries, by force.',
    "detach('nova-4')",
    () => db.detach('nova-4'),
    'forced',
  );
  await step(
    'Cinder is done with its volume, which nobody has open.',
    "detach('cinder-1')",
    () => db.detach('cinder-1'),
    'detached',
  );

  say();
  table(['call', 'result', 'requests', 'time'], [2, 3]);
  const left = fake.attachments.map(({ volume }) => volume).join(', ');
  const cached = Object.keys(await db.get()).join(', ');
  say(`\nStill attached: ${left}. Still in the cache: ${cached}.`);
  if (left !== 'os--volsnap-1' || cached !== 'nova-1') surprises++;
} finally {
  await fake.close();
  await rm(root, { recursive: true });
}

say(
  surprises === 0
    ? paint('green', 'Everything went as it should.')
    : paint('red', 'Something did not go as it should.'),
);
process.exitCode = surprises === 0 ? 0 : 1;
