import { mkdirSync, utimesSync } from 'node:fs';
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
  ['a wrong token', ['--set', 'SP_AUTH_TOKEN=s3cr3t'], /notAuthorized/u],
  ['no API', ['--set', 'SP_API_HTTP_PORT=1'], /ECONNREFUSED/u],
])(
  'status with %s: what the cache and the devices say, and the error below it',
  async (_what, args, words) => {
    host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'pve-2'), c: null });
    const { code, stdout, stderr } = await host.cli('status', args);
    const [table = '', below] = stdout.split('\n\n');
    expect(table.split('\n').map((line) => line.replace(/ +/gu, ' '))).toEqual([
      'VOLUME WANTS HAS DEVICE VERDICT REQUESTS',
      ' - - - not a request c',
      'pve-2 rw - - not ours: another prefix b',
      'os-1 rw - yes ? a',
    ]);
    expect(below).toMatch(words);
    expect([code, stderr]).toEqual([3, '']);
    expect(stdout).not.toContain('s3cr3t');
  },
);

test('status: a torn cache is an error that names the command that mends it', async () => {
  host.writeCache('{"a": {"volu');
  expect(await host.cli('status')).toMatchObject({
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(/cache\.json.*storpool-attachdb repair/u),
  });
});

test('status without the lock shows what it can read, and when a lock of unknown maker is taken over', async () => {
  host.writeCache({ ...entry('a', 'os-1'), b: 1 });
  mkdirSync(`${host.file()}.lock`);
  utimesSync(`${host.file()}.lock`, Date.now() / 1000 - 4, Date.now() / 1000 - 4);
  const { code, json } = await host.cli('status', ['--json', '--timeout', '0.1']);
  const { lock, volumes, problems } = json() as Status;
  expect([code, volumes.length, problems]).toEqual([1, 4, [expect.stringContaining(`b in ${host.file()} `)]]);
  expect(lock).toEqual({
    free: false,
    problem: expect.stringMatching(
      /\.lock was refreshed [456] s ago.*; services take \S+\.lock over when it has not/u,
    ),
  });
});

test('status: failures are said in words for operators', async () => {
  const gone = await host.cli('status', ['--file', host.path('nothing.json')]);
  expect(gone).toMatchObject({ code: 3, stderr: expect.stringMatching(/nothing\.json.*Create it/u) });
  const none = await host.cli('status', ['--config', host.path('nothing.conf')]);
  expect(none.stderr).toMatch(/nothing\.conf does not exist: create it, or name another with --config/u);
  const noId = await host.cli('status', ['--set', 'SP_OURID=x']);
  expect(noId.stderr).toMatch(/SP_OURID is "x".* in the configuration, or give it with --set/u);
});

test('status: the settings that are given win', async () => {
  const args = ['--json', '--set', 'SP_OURID=2', '--set', 'SP_OPENSTACK_VOLUME_PREFIX=x=y'];
  expect((await host.cli('status', args)).json()).toMatchObject({
    clientId: 2,
    prefix: 'x=y',
    volumes: [{ volume: 'os-2' }],
  });
});

test('status: colours tell findings from what is well, wherever the verdict stands', async () => {
  host.writeCache(all());
  for (const columns of [Number.POSITIVE_INFINITY, 40, 20]) {
    const { stdout } = await host.cli('status', [], { colour: true, columns });
    for (const words of ['[31mnot attached', '[32mok', '[2mpve-1']) expect(stdout).toContain(`\x1b${words}`);
  }
});

const uuid = (at: number) => `2f1c7a3e-1111-4222-8333-${String(at).padStart(12, '0')}`;
const many = (count: number): Status => {
  const volumes: Status['volumes'] = Array.from({ length: count }, (_, at) => ({
    volume: `os--volume-${uuid(at)}`,
    snapshot: false,
    requests: [uuid(at), uuid(at + 5000)],
    wants: 'rw',
    has: 'rw',
    device: null,
    verdict: at < 2 ? 'no device' : 'ok',
    finding: at < 2,
  }));
  return {
    ...{ ok: false, file: '/spool/cache.json', clientId: 1, prefix: 'os', unanswered: null, problems: [] },
    lock: { free: true, problem: null },
    volumes,
    requests: [],
    summary: { 'no device': 2, ok: count - 2 },
  };
};

test('render() cuts no name, fits into the height, and --wide has a line for each row', () => {
  const picture = render(many(5000), {}, { columns: 80, colour: false }, 24).trimEnd().split('\n');
  expect(picture.length).toBeLessThanOrEqual(24);
  expect(Math.max(...picture.map((line) => line.length))).toBeLessThanOrEqual(80);
  expect(picture.slice(2, 5)).toEqual([
    `os--volume-${uuid(0)}  rw     rw   no      no device`,
    `    ${uuid(0)}, ${uuid(5000)}`,
    expect.stringContaining(uuid(1)),
  ]);
  expect(picture.find((line) => line.startsWith('…'))).toMatch(/^… and 499\d more$/u);
  const wide = render(many(5000), { wide: true }, { columns: 80, colour: false }).split('\n');
  expect([wide.length, wide[1]]).toEqual([
    5005,
    expect.stringMatching(new RegExp(`no device  ${uuid(0)}, ${uuid(5000)}$`, 'u')),
  ]);
  const narrow = render(many(3), {}, { columns: 20, colour: false }, 12);
  expect(narrow).toContain(uuid(0));
});

test('watch() keeps the last whole table, with its age, while the API or the cache fails', async () => {
  const interrupted = new AbortController();
  const [whole, unanswered] = [many(3), { ...many(2), unanswered: 'no answer' }];
  const looks: (Status | Error)[] = [
    new Error('torn'),
    unanswered,
    whole,
    unanswered,
    new Error('torn'),
    whole,
  ];
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
  expect(await watch(read, { args: [] }, terminal, 1)).toBe(0);
  const time = /^\d\d:\d\d:\d\d {2}/u;
  const [head, old] = [
    /Every 2 s; Ctrl-C ends it\./u,
    / {2}The table is from \d\d:\d\d:\d\d, \d+ s ago: /u,
  ].map(({ source }) => source);
  expect(pictures).toEqual(
    [
      `${head} {2}torn\n$`,
      `${head}\nVOLUME(?:.*\n){3}\n2 volumes.*\n.*\nno answer\n$`,
      `${head}\nVOLUME(?:.*\n){4}\n3 volumes.*\n.*\n$`,
      `${head}${old}no answer\nVOLUME(?:.*\n){4}\n3 volumes.*\n.*\n$`,
      `${head}${old}torn\nVOLUME(?:.*\n){4}\n3 volumes.*\n.*\n$`,
      `${head}\nVOLUME(?:.*\n){4}\n3 volumes.*\n.*\n$`,
    ].map((words) => expect.stringMatching(new RegExp(time.source + words, 'u'))),
  );
});

test('status interrupted before it has read anything', async () => {
  expect(await host.cli('status', [], { signal: AbortSignal.abort() })).toMatchObject({
    code: 130,
    stdout: '',
    stderr: '',
  });
});
