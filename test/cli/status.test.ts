import { mkdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { render, type Status, watch } from '../../src/cli/status.js';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2', 'os-3', 'pve-1'],
  snapshots: ['os-s1'],
  attachments: [{ volume: 'os-1' }, { volume: 'os-3' }, { volume: 'os-2', client: 2 }, { volume: 'pve-1' }],
});

const since = () => new Date(Date.now() - 7_200_000).toISOString();
const all = () => ({
  ...entry('a', 'os-1'),
  ...entry('b', 'os-2', { since: since() }),
  ...entry('c', 'os-gone'),
  ...entry('d', 'os-s1', { volsnap: true, rights: 1 }),
});

test('status: a row for each volume that is wanted or attached, findings first, and a summary', async () => {
  host.writeCache(all());
  const { code, stdout, stderr } = await host.cli('status');
  expect(stdout).toBe(`VOLUME   WANTS  HAS  DEVICE  VERDICT                    REQUESTS
os-2     rw     -    -       not attached               b
os-3     -      rw   yes     attached, but no request
os-gone  rw     -    -       stale: not in the cluster  c
os-s1    ro     -    -       not attached               d
os-1     rw     rw   yes     ok                         a
pve-1    -      rw   yes     not ours: another prefix

6 volumes: 2 not attached; 1 attached, but no request; 1 stale; 1 ok; 1 not ours
Lock: free
`);
  expect([code, stderr]).toEqual([1, '']);
});

test('status --requests: a row for each request, with its age; volumes without one come, too', async () => {
  host.writeCache({ ...all(), ...entry('e', 'os-2') });
  const { stdout } = await host.cli('status', ['--requests']);
  expect(stdout.split('\n').slice(0, 5)).toEqual([
    'REQUEST  AGE  VOLUME   WANTS  HAS  DEVICE  VERDICT',
    'b        2 h  os-2     rw     -    -       not attached',
    'e        -    os-2     rw     -    -       not attached',
    '-        -    os-3     -      rw   yes     attached, but no request',
    'c        -    os-gone  rw     -    -       stale: not in the cluster',
  ]);
});

type Row = Status['volumes'][number];

test('status --json has the documented shape', async () => {
  host.writeCache({ ...entry('a', 'os-1'), b: 1 });
  const { code, json } = await host.cli('status', ['--json']);
  const row = (volume: string, more: Pick<Row, 'verdict' | 'finding'> & Partial<Row>) => {
    const device = host.path(`dev/${volume}`);
    return { volume, snapshot: false, requests: [], wants: null, has: 'rw' as const, device, ...more };
  };
  const none = { requests: ['b'], has: null, device: null };
  expect(code).toBe(1);
  expect(json()).toEqual({
    ok: false,
    file: host.file(),
    clientId: 1,
    prefix: 'os',
    lock: { free: true, problem: null },
    volumes: [
      row('', { ...none, verdict: 'not a request', finding: true }),
      row('os-3', { verdict: 'attached, but no request', finding: true }),
      row('os-1', { requests: ['a'], wants: 'rw', verdict: 'ok', finding: false }),
      row('pve-1', { verdict: 'not ours: another prefix', finding: false }),
    ],
    requests: [
      { request: 'b', volume: '', since: null },
      { request: 'a', volume: 'os-1', since: null },
    ],
    summary: { 'not a request': 1, 'attached, but no request': 1, ok: 1, 'not ours: another prefix': 1 },
    unanswered: null,
    problems: [expect.stringMatching(/Request b in \S+cache\.json is not an object/u)],
  } satisfies Status);
});

test('status: all is well, and what others have attached is their business', async () => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-3') });
  expect(await host.cli('status')).toMatchObject({ code: 0 });
});

test.each([
  ['SP_AUTH_TOKEN=s3cr3t', /notAuthorized/u],
  ['SP_API_HTTP_PORT=1', /ECONNREFUSED/u],
])('status with %s: what the cache and the devices say, and the error below it', async (setting, words) => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'pve-2'), c: null });
  const { code, stdout } = await host.cli('status', ['--set', setting]);
  const [table = '', below] = stdout.split('\n\n');
  const lines = table.split('\n').map((line) => line.replace(/ +/gu, ' '));
  const known = [' - - - not a request c', 'pve-2 rw - - not ours: another prefix b', 'os-1 rw - yes ? a'];
  expect([code, lines.slice(1), below]).toEqual([3, known, expect.stringMatching(words)]);
  expect(stdout).not.toContain('s3cr3t');
});

test('status: a torn cache is an error that names the command that mends it', async () => {
  host.writeCache('{"a": {"volu');
  const torn = expect.stringMatching(/cache\.json.*storpool-attachdb repair/u);
  expect(await host.cli('status')).toMatchObject({ code: 3, stdout: '', stderr: torn });
});

test('status names who has the lock, and says when one of unknown maker is taken over', async () => {
  mkdirSync(`${host.file()}.lock`);
  const words = /cache\.json could not be locked within 100 ms.*refreshed 0 s ago.*after 10 s .*taken over/u;
  const locked = { code: 3, stdout: '', stderr: expect.stringMatching(words) };
  expect(await host.cli('status', ['--timeout', '0.1'])).toMatchObject(locked);
});

test('status: failures are said in words for operators', async () => {
  const gone = await host.cli('status', ['--file', host.path('nothing.json')]);
  expect(gone).toMatchObject({ code: 3, stderr: expect.stringMatching(/nothing\.json.*Create it/u) });
  const none = await host.cli('status', ['--config', host.path('nothing.conf')]);
  expect(none.stderr).toMatch(/nothing\.conf does not exist: create it, or name another/u);
  const noId = await host.cli('status', ['--set', 'SP_OURID=x']);
  expect(noId.stderr).toMatch(/SP_OURID is "x".* in \S+ or with --set/u);
});

test('status: the settings that are given win', async () => {
  const args = ['--json', '--set', 'SP_OURID=2', '--set', 'SP_OPENSTACK_VOLUME_PREFIX=x=y'];
  const report = { clientId: 2, prefix: 'x=y', volumes: [{ volume: 'os-2' }] };
  expect((await host.cli('status', args)).json()).toMatchObject(report);
});

test('status: colours tell findings from what is well, wherever the verdict stands', async () => {
  host.writeCache(all());
  for (const columns of [Number.POSITIVE_INFINITY, 40, 20]) {
    const { stdout } = await host.cli('status', [], { colour: true, columns });
    for (const words of ['[31mnot attached', '[32mok', '[2mpve-1']) expect(stdout).toContain(`\x1b${words}`);
  }
});

const uuid = (at: number) => `2f1c7a3e-1111-4222-8333-${String(at).padStart(12, '0')}`;
const rowOf = (at: number): Row => {
  const [verdict, finding] = at < 2 ? (['no device', true] as const) : (['ok', false] as const);
  const has = { wants: 'rw', has: 'rw', device: null, snapshot: false } as const;
  return {
    volume: `os--volume-${uuid(at)}`,
    requests: [uuid(at), uuid(at + 5000)],
    ...has,
    verdict,
    finding,
  };
};
const many = (count: number, unanswered: string | null = null): Status => ({
  ...{
    ok: false,
    file: '/spool/cache.json',
    clientId: 1,
    prefix: 'os',
    unanswered,
    problems: [],
    requests: [],
  },
  lock: { free: true, problem: null },
  volumes: Array.from({ length: count }, (_, at) => rowOf(at)),
  summary: { 'no device': 2, ok: count - 2 },
});

test('render() cuts no name, and fits into the height', () => {
  const picture = render(many(5000), {}, { columns: 80, colour: false }, 24).trimEnd().split('\n');
  expect(picture.length).toBeLessThanOrEqual(24);
  expect(Math.max(...picture.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(picture.slice(2, 5)).toEqual([
    `os--volume-${uuid(0)}  rw     rw   no      no device`,
    `    ${uuid(0)}, ${uuid(5000)}`,
    expect.stringContaining(uuid(1)),
  ]);
  expect(picture.find((line) => line.startsWith('…'))).toMatch(/^… and 499\d more$/u);
  expect(render(many(3), {}, { columns: 20, colour: false }, 12)).toContain(uuid(0));
});

test('status --wide has a line for each row', async () => {
  host.writeCache({ ...entry(uuid(1), 'os-1'), ...entry(uuid(2), 'os-1'), ...entry(uuid(3), 'os-3') });
  const { stdout } = await host.cli('status', ['--wide'], { columns: 40 });
  expect(stdout).toContain(`ok                        ${uuid(1)}, ${uuid(2)}\n`);
});

test('watch() keeps the last whole table, with its age, while the API or the cache fails', async () => {
  const interrupted = new AbortController();
  const [torn, silent, whole] = [new Error('torn'), many(2, 'no answer'), many(3)];
  const looks = [torn, silent, whole, silent, torn, whole];
  const pictures: string[] = [];
  const read = async () => {
    const seen = looks[pictures.length] as Status | Error;
    if (seen instanceof Error) throw seen;
    return seen;
  };
  const terminal = {
    ...{ columns: Number.POSITIVE_INFINITY, rows: 24, colour: false, signal: interrupted.signal },
    writeError: () => undefined,
    write(picture: string) {
      if (pictures.push(picture.replace('\x1b[H\x1b[J', '')) === looks.length) interrupted.abort();
    },
  };
  expect(await watch(read, { args: [] }, terminal, 1)).toEqual({ code: 0 });
  const head = String.raw`^\d\d:\d\d:\d\d {2}Every 2 s; Ctrl-C ends it\.`;
  const old = String.raw` {2}The table is from \d\d:\d\d:\d\d, \d+ s ago: `;
  const table = String.raw`\nVOLUME(?:.*\n){4}\n3 volumes.*\n.*\n$`;
  const expected = [
    String.raw`${head} {2}torn\n$`,
    String.raw`${head}\nVOLUME(?:.*\n){3}\n2 volumes.*\n.*\nno answer\n$`,
    head + table,
    `${head}${old}no answer${table}`,
    `${head}${old}torn${table}`,
    head + table,
  ];
  expect(pictures).toEqual(expected.map((words) => expect.stringMatching(new RegExp(words, 'u'))));
});

test('status interrupted before it has read anything', async () => {
  const nothing = { code: 130, stdout: '', stderr: '' };
  expect(await host.cli('status', [], { signal: AbortSignal.abort() })).toMatchObject(nothing);
});
