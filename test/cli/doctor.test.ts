import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { entry, useHost } from './host.js';

const TOKEN = 's3cr3t-t0ken';
const host = useHost({
  volumes: ['os-1', 'os-2', 'pve-1'],
  snapshots: ['os-s'],
  attachments: [{ volume: 'os-1' }, { volume: 'os-2', client: 7 }],
  token: TOKEN,
});
const healthy = () => entry('a', 'os-1');
const age = (path: string, minutes: number) => {
  const then = Date.now() / 1000 - minutes * 60;
  utimesSync(path, then, then);
};
const side = (end: string, content = 'x') => writeFileSync(host.file() + end, content);
const isRoot = process.getuid?.() === 0;
const CHECKS = 'configuration API directory file lock cache leftovers volumes devices clock'.split(' ');

test('doctor, on a healthy host: exit status 0, and each check says what it has seen', async () => {
  host.writeCache(healthy());
  const { code, stdout } = await host.cli('doctor');
  expect([code, stdout]).toEqual([0, expect.stringMatching(/no fault found\n$/u)]);
  expect(stdout.match(/^\w+ +ok /gmu)?.map((words) => words.split(' ')[0])).toEqual(CHECKS);
  expect(stdout).toContain(`SP_OURID=1 (${host.path('storpool.conf')})`);
  expect(stdout).toContain('SP_AUTH_TOKEN=[hidden]');
  expect(stdout).not.toContain(TOKEN);
});

test('doctor --json has the documented shape', async () => {
  host.writeCache({ ...healthy(), ...entry('b', 'os-gone') });
  const { code, json } = await host.cli('doctor', ['--json']);
  const { checks, ...report } = json();
  expect([code, report]).toEqual([1, { ok: false, file: host.file(), fixed: [] }]);
  const keys = ['check', 'command', 'details', 'fix', 'message', 'remedy', 'state'];
  for (const check of checks) expect(Object.keys(check).sort()).toEqual(keys);
  expect(checks.find(({ check }: { check: string }) => check === 'volumes')).toEqual({
    check: 'volumes',
    state: 'fault',
    message: '1 volume wanted that the cluster does not have: os-gone (b)',
    details: [],
    remedy: 'The next sync() of a service removes the requests; so does --fix, or',
    command: `storpool-attachdb forget b ${host.args().join(' ')}`,
    fix: `remove from ${host.file()} the requests b`,
  });
});

/** What is planted, the checks that find it and what they say, and more arguments. */
type Case = [string, () => unknown, [string, RegExp] | [string, RegExp][], string[]?];
const wrong = (cache: object) => () => host.writeCache({ ...healthy(), ...cache });

const CONFIGURATION: Case[] = [
  [
    'no configuration',
    () => rmSync(host.path('storpool.conf')),
    ['configuration', /storpool\.conf does not exist: create it, or name another with --config/u],
  ],
  [
    'one that does not parse',
    () => writeFileSync(host.path('storpool.conf'), 'what?'),
    ['configuration', /line 1: expected/u],
  ],
  ['no client ID', () => undefined, ['configuration', /SP_OURID/u], ['--set', 'SP_OURID=']],
  ['no token', () => undefined, ['configuration', /SP_AUTH_TOKEN/u], ['--set', 'SP_AUTH_TOKEN=']],
  [
    'a token that everybody may read',
    () => chmodSync(host.path('storpool.conf'), 0o644),
    [
      'configuration',
      /everybody on this host may read it .*chgrp spopenstack \S+; chmod g\+r,o= \S+storpool\.conf/u,
    ],
  ],
  [
    'a byte order mark',
    () => {
      mkdirSync(host.path('storpool.conf.d'));
      writeFileSync(host.path('storpool.conf.d/x.conf'), '\ufeffSP_X=1\n');
    },
    ['configuration', /x\.conf begins with a byte order mark.* sed -i /u],
  ],
];

const API: Case[] = [
  [
    'a token that is not let in',
    () => undefined,
    ['API', /notAuthorized.*Correct SP_AUTH_TOKEN \(--set\)/u],
    ['--set', 'SP_AUTH_TOKEN=wrong'],
  ],
  [
    'no service',
    () => host.fake().close(),
    ['API', /ECONNREFUSED.*Is the management service running.*SP_API_HTTP_HOST \(\S+storpool\.conf\)/u],
  ],
  [
    'something else in its place',
    () => host.fake().failNext('attachmentsList', 'garbage'),
    ['API', /HTTP.*log of the management service/u],
  ],
];

const PLACES: Case[] = [
  [
    'no directory',
    () => rmSync(host.path('spool'), { recursive: true }),
    [
      'directory',
      /does not exist .*groupadd --system spopenstack; install -d -o root -g spopenstack -m 2770/u,
    ],
  ],
  ['no cache', () => rmSync(host.file()), ['file', /does not exist .*echo '\{\}'.*chgrp spopenstack/u]],
  [
    'a directory that its group may not write',
    () => chmodSync(host.path('spool'), 0o750),
    ['directory', /0750: its group may not write it .*chmod g\+rwx/u],
  ],
  [
    'a file that its group may not write',
    () => chmodSync(host.file(), 0o640),
    ['file', /0640: its group may not write it .*chmod g\+rw /u],
  ],
  [
    'a file for everybody',
    () => chmodSync(host.file(), 0o666),
    ['file', /everybody may write it .*chmod o-w/u],
  ],
  [
    'a directory in place of the cache',
    () => [rmSync(host.file()), mkdirSync(host.file())],
    ['file', /cache\.json is not a regular file .*mv \S+cache\.json \S+cache\.json-moved; echo/u],
  ],
  [
    'a link that leads nowhere',
    () => [rmSync(host.file()), symlinkSync('/nowhere', host.file())],
    ['file', /is a link to \/nowhere, which does not exist .*rm \S+; echo/u],
  ],
  [
    'a held lock',
    () => mkdirSync(`${host.file()}.lock`),
    ['lock', /has been locked for more than 1 s.*\.lock was refreshed 1 s ago.*not been refreshed for 10 s/u],
  ],
  [
    'a clock that was set back',
    () => age(host.file(), -10),
    ['clock', /cache\.json: changed 10 min in the future/u],
  ],
];

const CACHE: Case[] = [
  [
    'a torn cache',
    () => host.writeCache('{"a": {"vol'),
    ['cache', /cache\.json .*JSON.* storpool-attachdb repair --config/u],
  ],
  ['a cache that is a list', () => host.writeCache('[]'), ['cache', /a list.* storpool-attachdb repair/u]],
  [
    'an entry that is no request',
    wrong({ b: { volume: 'os-2', rights: 3 } }),
    ['cache', /Request b .* has the rights 3.* storpool-attachdb forget b /u],
  ],
  [
    'an entry without its ID',
    wrong(entry('a', 'os-1', { id: undefined })),
    ['cache', /Request a .* has no id Python services fail on it/u],
  ],
  ['an entry with the ID of another', wrong(entry('a', 'os-1', { id: 'b' })), ['cache', /has the id "b"/u]],
  [
    'a directory in place of the journal',
    () => mkdirSync(`${host.file()}.backup`),
    ['cache', /backup is not a regular file.* mv \S+backup \S+backup-moved/u],
  ],
  [
    'what earlier versions left',
    () => ['.restored', '.holder', '.torn.1', '.torn.12', '.backup.new'].map((end) => side(end)),
    ['leftovers', /5 files left by an earlier version: .*backup\.new \(1 bytes\).*--fix removes them/u],
  ],
];

const VOLUMES: Case[] = [
  [
    'a volume that is not attached',
    wrong(entry('b', 'os-2')),
    ['volumes', /1 volume wanted, but not attached: os-2 \(b\).* storpool-attachdb forget b /u],
  ],
  [
    'one without a request',
    () => host.api().volumesReassign([{ volume: 'os-2', rw: [1] }]),
    [
      'volumes',
      /os-2 A volume without a request is never detached by this library.* storpool detach volume os-2 here/u,
    ],
  ],
  [
    'one that is read-only',
    () => host.api().volumesReassign([{ volume: 'os-1', ro: [1] }]),
    ['volumes', /attached read-only, but wanted read\/write: os-1 \(a\)/u],
  ],
  [
    'one outside of the prefix',
    wrong(entry('b', 'pve-1')),
    ['volumes', /does not begin with os: pve-1 \(b\) Is SP_OPENSTACK_VOLUME_PREFIX=os right \(default\)/u],
  ],
  ['one that is gone', wrong(entry('b c', 'os-gone')), ['volumes', /os-gone \(b c\).* forget 'b c' /u]],
  [
    'one without its device',
    () => rmSync(host.path('dev/os-1')),
    [
      'devices',
      /1 attached volume without a device in \S+dev: os-1 \(a\) .*systemctl status storpool_block/u,
    ],
  ],
  [
    'the client ID of another host',
    () => undefined,
    [
      [
        'volumes',
        /Client 5 has nothing attached, but there are 1 volume wanted here, and 1 device in .*SP_OURID=5 \(--set\).*client 1 has os-1/u,
      ],
      ['volumes', /1 volume wanted, but not attached: os-1 \(a\) Answer the question/u],
    ],
    ['--set', 'SP_OURID=5'],
  ],
];

describe.each([
  ['the configuration', CONFIGURATION],
  ['the API', API],
  ['the files', PLACES],
  ['the cache', CACHE],
  ['the volumes', VOLUMES],
])('doctor names each fault of %s, and nothing else, and status agrees', (_of, cases) => {
  test.each(cases)('%s', async (_what, plant, expected, more = []) => {
    host.writeCache(healthy());
    await plant();
    const found = Array.isArray(expected[0])
      ? (expected as [string, RegExp][])
      : [expected as [string, RegExp]];
    expect(await host.faults(more)).toEqual(
      found.map(([check, words]) => [check, expect.stringMatching(words)]),
    );
    const { code } = await host.cli('status', more);
    const isOfVolumes = found.some(
      ([check, { source }]) => /volumes|devices/u.test(check) || /the rights/u.test(source),
    );
    if (code !== 3) expect(code).toBe(isOfVolumes ? 1 : 0);
  });
});

describe('doctor', () => {
  test.runIf(isRoot)('knows a group that this host does not have, and one that differs', async () => {
    host.writeCache(healthy());
    chownSync(host.path('spool'), 0, 61_234);
    chownSync(host.file(), 0, 1);
    expect(await host.faults()).toEqual([
      [
        'directory',
        expect.stringMatching(/root:61234 2770: this host has no group 61234 .*chgrp spopenstack/u),
      ],
      ['file', expect.stringMatching(/but its directory has the group 61234 .*chgrp 61234/u)],
    ]);
  });

  test('finds an API that is slow', async () => {
    const server = createServer((_request, response) => {
      setTimeout(() => response.end('{"generation": "1", "data": []}'), 2050);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    expect((await host.faults(['--set', `SP_API_HTTP_PORT=${port}`]))[0]).toEqual([
      'API',
      expect.stringMatching(/answers in \d{4} ms Look at the load/u),
    ]);
    server.close();
  });

  test('says what could not be looked at, and why', async () => {
    rmSync(host.path('spool'), { recursive: true });
    rmSync(host.path('storpool.conf'));
    const { stdout } = await host.cli('doctor');
    const skipped = CHECKS.filter((check) => !['configuration', 'directory', 'clock'].includes(check));
    expect(stdout.match(/^\w+(?= +- +not checked: \S)/gmu)).toEqual(skipped);
  });

  test('a lock that its maker has left is no fault: it is taken over', async () => {
    host.writeCache(healthy());
    mkdirSync(`${host.file()}.lock`);
    age(`${host.file()}.lock`, 1);
    expect(await host.faults()).toEqual([]);
    expect(readdirSync(host.path('spool'))).toEqual(['cache.json']);
  });

  test('a journal that is under way beside a whole file, and what a repair has kept, are no faults', async () => {
    host.writeCache(healthy());
    side('.backup', '{"b": 1}\t');
    side('.torn', '{');
    const { code, stdout } = await host.cli('doctor');
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/cache\.json\.torn \(1 bytes\) is what a repair has kept/u),
    ]);
  });

  test('does not spell out a long list', async () => {
    const gone = Array.from({ length: 5000 }, (_, n) => entry(`r${n}`, `os-gone-${n}`));
    host.writeCache(Object.assign({}, healthy(), ...gone));
    const [[check = '', words = ''] = []] = await host.faults();
    expect([check, words]).toEqual([
      'volumes',
      expect.stringMatching(/^5000 volumes wanted .*and 4990 more The next/u),
    ]);
  });

  test('prints what to type in one line of its own', async () => {
    host.writeCache({ ...healthy(), ...entry('b', 'os-2') });
    const { stdout } = await host.cli('doctor', [], { columns: 60 });
    expect(stdout.split('\n')).toContainEqual(
      expect.stringMatching(/^ +\$ storpool-attachdb forget b --config \S+ --file \S+ --device-dir \S+$/u),
    );
  });
});

describe('doctor --fix', () => {
  const sick = () => {
    host.writeCache({ ...healthy(), ...entry('b', 'os-gone') });
    for (const end of ['.torn.1', '.torn-kept', '.restored']) side(end);
    mkdirSync(`${host.file()}.holder`);
  };
  const isSick = () => [
    ...['.torn.1', '.restored'].map((end) => existsSync(host.file() + end)),
    'b' in host.readCache(),
  ];

  test('shows what it would do, and does it when told to', async () => {
    sick();
    const questions: string[] = [];
    const answer = (words: string) => ({
      ask: async (question: string) => {
        questions.push(question);
        return words;
      },
    });
    const no = await host.cli('doctor', ['--fix'], answer('no'));
    expect(no.stdout).toMatch(
      /To do:\n {2}remove \S+restored, \S+torn\.1\n {2}remove from .* the requests b\n$/u,
    );
    expect([no.code, isSick()]).toEqual([1, [true, true, true]]);
    const yes = await host.cli('doctor', ['--fix'], answer(' Y '));
    expect([yes.code, isSick()]).toEqual([0, [false, false, false]]);
    expect(['.torn-kept', '.holder'].map((end) => existsSync(host.file() + end))).toEqual([true, true]);
    expect(yes.stdout).toMatch(/no fault found\n$/u);
    expect(questions).toEqual(['Do it? [y/N] ', 'Do it? [y/N] ']);
    expect(host.fake().requests.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('does nothing where nobody can be asked', async () => {
    sick();
    const { code, stderr } = await host.cli('doctor', ['--fix']);
    expect([code, stderr, isSick()]).toEqual([
      1,
      expect.stringMatching(/--yes does it/u),
      [true, true, true],
    ]);
  });

  test('asks nothing where nothing is to be done, and does not touch a torn cache', async () => {
    host.writeCache(healthy());
    expect(await host.cli('doctor', ['--fix'])).toMatchObject({ code: 0, stderr: '' });
    await new SPLockedJSONDB(host.file()).add('b', 1);
    host.writeCache('{');
    const { code, json } = await host.cli('doctor', ['--fix', '--yes', '--json']);
    expect([code, json().fixed, readFileSync(host.file(), 'utf8')]).toEqual([1, [], '{']);
  });
});
