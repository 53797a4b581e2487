import { mkdirSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { render, type Status } from '../../src/cli/status.js';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2', 'os-3', 'pve-1'],
  snapshots: ['os-s1'],
  attachments: [{ volume: 'os-1' }, { volume: 'os-3' }, { volume: 'os-2', client: 2 }, { volume: 'pve-1' }],
});

const all = () => ({
  ...entry('a', 'os-1'),
  ...entry('b', 'os-2'),
  ...entry('c', 'os-gone'),
  ...entry('d', 'os-s1', { volsnap: true, rights: 1 }),
});

test('a row for each volume that is wanted or attached, and a summary', async () => {
  host.writeCache(all());
  const { code, stdout, stderr } = await host.cli('status');
  expect(stdout).toBe(`VOLUME   REQUESTS  WANTS  HAS  DEVICE  VERDICT
os-2     b         rw     -    -       not attached
os-3               -      rw   yes     attached, but no request
os-gone  c         rw     -    -       stale: not in the cluster
os-s1    d         ro     -    -       not attached
os-1     a         rw     rw   yes     ok
pve-1              -      rw   yes     not ours: another prefix

6 volumes: 2 not attached; 1 attached, but no request; 1 stale; 1 ok; 1 not ours
Lock: free
`);
  expect([code, stderr]).toEqual([1, '']);
});

test('--json has the documented shape', async () => {
  host.writeCache(entry('a', 'os-1'));
  const { code, json } = await host.cli('status', ['--json']);
  expect(code).toBe(1);
  expect(json()).toEqual({
    ok: false,
    file: host.file(),
    clientId: 1,
    prefix: 'os',
    lock: { free: true, problem: null },
    volumes: [
      {
        volume: 'os-3',
        snapshot: false,
        requests: [],
        wants: null,
        has: 'rw',
        device: host.path('dev/os-3'),
        verdict: 'attached, but no request',
        finding: true,
      },
      {
        volume: 'os-1',
        snapshot: false,
        requests: ['a'],
        wants: 'rw',
        has: 'rw',
        device: host.path('dev/os-1'),
        verdict: 'ok',
        finding: false,
      },
      {
        volume: 'pve-1',
        snapshot: false,
        requests: [],
        wants: null,
        has: 'rw',
        device: host.path('dev/pve-1'),
        verdict: 'not ours: another prefix',
        finding: false,
      },
    ],
    summary: { 'attached, but no request': 1, ok: 1, 'not ours: another prefix': 1 },
    waiting: [],
  } satisfies Status);
});

test('all is well: exit status 0; it asks for no list that it does not need', async () => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-3') });
  expect(await host.cli('status')).toMatchObject({ code: 0 });
  expect(host.fake().requests.map(({ path }) => path)).toEqual(['/ctrl/1.0/AttachmentsList']);
});

test('what a restore left is a finding', async () => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-3') });
  for (const end of ['restored', 'torn', 'torn.1', 'torn-kept', 'backup'])
    writeFileSync(`${host.file()}.${end}`, 'x');
  const { code, stdout } = await host.cli('status');
  expect(code).toBe(1);
  expect(stdout.match(/To be looked at: \S+(?=;)/gu)).toEqual(
    ['restored', 'torn', 'torn.1'].map((end) => `To be looked at: ${host.file()}.${end}`),
  );
});

test('a torn cache is told, and left as it is', async () => {
  const torn = '{"a": {"volu';
  host.writeCache(torn);
  const { code, stdout, stderr } = await host.cli('status');
  expect([code, stdout]).toEqual([3, '']);
  expect(stderr).toMatch(/cache\.json is torn or damaged .*storpool-attachdb doctor/u);
  host.writeCache('[1]');
  expect((await host.cli('status')).stderr).toMatch(/does not hold a JSON object/u);
});

test('without the lock it shows what it can read, and says so', async () => {
  host.writeCache(entry('a', 'os-1'));
  // Who has it is not known: nothing but a lock directory.
  mkdirSync(`${host.file()}.lock`);
  const { code, stdout } = await host.cli('status', ['--json']);
  const { lock, volumes } = JSON.parse(stdout) as Status;
  expect([code, volumes.length]).toEqual([1, 3]);
  expect(lock).toEqual({ free: false, problem: expect.stringMatching(/holder/u) });
});

test('failures are the messages of the library', async () => {
  const gone = await host.cli('status', ['--file', host.path('nothing.json')]);
  expect(gone).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/Cannot lock .*nothing\.json.*Create it with the content/u),
  });
  const wrong = await host.cli('status', ['--set', 'SP_AUTH_TOKEN=s3cr3t']);
  expect(wrong).toMatchObject({ code: 3, stderr: expect.stringMatching(/notAuthorized/u) });
  expect(wrong.stderr).not.toContain('s3cr3t');
  await host.fake().close();
  expect(await host.cli('status')).toMatchObject({ code: 3, stderr: expect.stringMatching(/ECONNREFUSED/u) });
});

test('the settings that are given win', async () => {
  const { json } = await host.cli('status', [
    '--json',
    '--set',
    'SP_OURID=2',
    '--set',
    'SP_OPENSTACK_VOLUME_PREFIX=x=y',
  ]);
  expect(json()).toMatchObject({ clientId: 2, prefix: 'x=y', volumes: [{ volume: 'os-2' }] });
});

test('colours tell findings from what is well', async () => {
  host.writeCache(all());
  const { stdout } = await host.cli('status', [], { colour: true });
  expect(stdout).toContain('\x1b[31mnot attached\x1b[39m');
  expect(stdout).toContain('\x1b[32mok\x1b[39m');
  expect(stdout.split('\n').find((line) => line.startsWith('\x1b[2mpve-1 '))).toMatch(/prefix.\[22m$/u);
});

test('5,000 volumes fit into a terminal, findings first', () => {
  const volumes: Status['volumes'] = Array.from({ length: 5000 }, (_, at) => ({
    volume: `os--volume-2f1c7a3e-1111-4222-8333-${String(at).padStart(12, '0')}`,
    snapshot: false,
    requests: [`7f6c2b1e-0000-4000-8000-${String(at).padStart(12, '0')}`],
    wants: 'rw',
    has: 'rw',
    device: null,
    verdict: at < 2 ? 'no device' : 'ok',
    finding: at < 2,
  }));
  const found: Status = {
    ok: false,
    file: '/spool/cache.json',
    clientId: 1,
    prefix: 'os',
    lock: { free: true, problem: null },
    volumes,
    summary: { 'no device': 2, ok: 4998 },
    waiting: [],
  };
  const lines = render(found, { columns: 80, colour: false }, 24).trimEnd().split('\n');
  expect(lines.length).toBeLessThan(24);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(lines.slice(1, 3).every((line) => line.endsWith('no device'))).toBe(true);
  expect(lines).toContain(`… and ${5000 - lines.length + 5} more`);
  expect(render(found, { columns: 80, colour: false }).split('\n').length).toBe(5005);
});

test('--watch is for people, --json for programs', async () => {
  const { code, stderr } = await host.cli('status', ['--watch', '--json']);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/cannot be used together/u)]);
});

test('--watch draws it until it is interrupted, and goes on after a failure', async () => {
  const interrupted = new AbortController();
  const pictures: string[] = [];
  host.writeCache('{');
  const write = (picture: string) => {
    pictures.push(picture);
    if (picture.includes('torn or damaged')) host.writeCache(entry('a', 'os-1'));
    else interrupted.abort();
  };
  const { code } = await host.cli('status', ['--watch'], { write, rows: 10, signal: interrupted.signal });
  expect([code, pictures.length]).toEqual([0, 2]);
  expect(pictures.every((picture) => picture.startsWith('\x1b[H\x1b[J'))).toBe(true);
});

test('interrupted before it has read anything', async () => {
  expect(await host.cli('status', [], { signal: AbortSignal.abort() })).toMatchObject({
    code: 130,
    stdout: '',
    stderr: '',
  });
});
