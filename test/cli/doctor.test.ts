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
    remedy: 'Drivers that use sync() remove the requests at their next step; so does --fix, or',
    command: `storpool-attachdb forget b ${host.args().join(' ')}`,
    fix: `remove from ${host.file()} the requests b`,
  });
});

/** What is planted, the check that finds it, what that says, how to plant it, and more arguments. */
type Case = [what: string, check: string, words: RegExp, plant: () => unknown, more?: string[]];
const also = (cache: object) => () => host.writeCache({ ...healthy(), ...cache });
const mode = (path: string, bits: number) => () => chmodSync(host.path(path), bits);
const [conf, cache] = ['storpool.conf', 'spool/cache.json'];
const nothing = () => undefined;
const remove = (path: string) => () => rmSync(host.path(path), { recursive: true });

const ELSEWHERE: Case[] = [
  [
    'no configuration',
    'configuration',
    /storpool\.conf does not exist: create it, or name another/u,
    remove(conf),
  ],
  ['one that is none', 'configuration', /line 1: expected/u, () => writeFileSync(host.path(conf), 'what?')],
  ['no client ID', 'configuration', /SP_OURID/u, nothing, ['--set', 'SP_OURID=']],
  ['no token', 'configuration', /SP_AUTH_TOKEN/u, nothing, ['--set', 'SP_AUTH_TOKEN=']],
  [
    'a readable token',
    'configuration',
    /everybody .*chgrp spopenstack \S+; chmod g\+r,o= \S+conf/u,
    mode(conf, 0o644),
  ],
  [
    'a byte order mark',
    'configuration',
    /x\.conf begins with a byte order mark.* sed -i /u,
    () => {
      mkdirSync(host.path('storpool.conf.d'));
      writeFileSync(host.path('storpool.conf.d/x.conf'), '\ufeffSP_X=1\n');
    },
  ],
  [
    'a wrong token',
    'API',
    /notAuthorized.*Correct SP_AUTH_TOKEN \(--set\)/u,
    nothing,
    ['--set', 'SP_AUTH_TOKEN=x'],
  ],
  ['no service', 'API', /ECONNREFUSED.*SP_API_HTTP_HOST \(\S+conf\)/u, () => host.fake().close()],
  ['no HTTP', 'API', /HTTP.*log of the/u, () => host.fake().failNext('attachmentsList', 'garbage')],
  ['no directory', 'directory', /not exist .*groupadd --system spopenstack; install -d/u, remove('spool')],
  ['no cache', 'file', /does not exist .*echo '\{\}'.*chgrp spopenstack/u, remove(cache)],
  [
    'a strict directory',
    'directory',
    /0750: its group may not write it .*chmod g\+rwx/u,
    mode('spool', 0o750),
  ],
  ['a strict file', 'file', /0640: its group may not write it .*chmod g\+rw /u, mode(cache, 0o640)],
  ['a file for everybody', 'file', /everybody may write it .*chmod o-w/u, mode(cache, 0o666)],
  [
    'a dangling link',
    'file',
    /link to \/nowhere.*rm \S+; echo/u,
    () => [remove(cache)(), symlinkSync('/nowhere', host.file())],
  ],
  [
    'a directory',
    'file',
    /not a regular file .*mv \S+ \S+-moved; echo/u,
    () => [remove(cache)(), mkdirSync(host.file())],
  ],
  [
    'a held lock',
    'lock',
    /is locked: .*refreshed for 10 s/u,
    () => mkdirSync(`${host.file()}.lock`),
    ['--timeout', '0.1'],
  ],
  ['a clock set back', 'clock', /cache\.json: changed 10 min in the future/u, () => age(host.file(), -10)],
  [
    'a torn cache',
    'cache',
    /cache\.json .*JSON.* storpool-attachdb repair --config/u,
    () => host.writeCache('{"a": {"v'),
  ],
  ['a list', 'cache', /a list.* storpool-attachdb repair/u, () => host.writeCache('[]')],
  [
    'an entry without ID',
    'cache',
    /a .* has no id Python .*forget a/u,
    also(entry('a', 'os-1', { id: undefined })),
  ],
  ['one with the ID of another', 'cache', /has the id "b"/u, also(entry('a', 'os-1', { id: 'b' }))],
  [
    'no journal',
    'cache',
    /backup cannot be read .* mv \S+ \S+backup-moved/u,
    () => mkdirSync(`${host.file()}.backup`),
  ],
  [
    'side files',
    'leftovers',
    /an earlier version: .*backup\.new \(1 bytes\).*--fix removes them/u,
    () => ['.restored', '.holder', '.torn.1', '.torn.12', '.backup.new'].map((end) => side(end)),
  ],
];

const IN_STATUS: Case[] = [
  ['no request', 'cache', /b .* has the rights 3.* forget b /u, also({ b: { volume: 'os-2', rights: 3 } })],
  ['not attached', 'volumes', /1 volume wanted, .*: os-2 \(b\).* forget b /u, also(entry('b', 'os-2'))],
  [
    'without a request',
    'volumes',
    /os-2 A volume without a request is never detached .* storpool detach volume os-2 here/u,
    () => host.api().volumesReassign([{ volume: 'os-2', rw: [1] }]),
  ],
  [
    'read-only',
    'volumes',
    /attached read-only, but wanted read\/write: os-1 \(a\)/u,
    () => host.api().volumesReassign([{ volume: 'os-1', ro: [1] }]),
  ],
  [
    'outside of the prefix',
    'volumes',
    /pve-1 \(b\) Is SP_OPENSTACK_VOLUME_PREFIX=os right \(default/u,
    also(entry('b', 'pve-1')),
  ],
  ['gone', 'volumes', /os-gone \(b c\).* forget 'b c' /u, also(entry('b c', 'os-gone'))],
  [
    'without a device',
    'devices',
    /device in \S+dev: os-1 \(a\) .*systemctl status storpool/u,
    remove('dev/os-1'),
  ],
];

describe('doctor names each fault, and nothing else', () => {
  test.each([...ELSEWHERE, ...IN_STATUS])('%s', async (_what, check, words, plant, more = []) => {
    host.writeCache(healthy());
    await plant();
    expect(await host.faults(more)).toEqual([[check, expect.stringMatching(words)]]);
  });

  test.each(IN_STATUS)('so does status: %s', async (_what, _check, _words, plant) => {
    host.writeCache(healthy());
    await plant();
    expect(await host.cli('status')).toMatchObject({ code: 1 });
  });

  test('but the client ID of another host has the volumes of this one not attached', async () => {
    host.writeCache(healthy());
    expect(await host.faults(['--set', 'SP_OURID=5'])).toEqual([
      [
        'volumes',
        expect.stringMatching(
          /Client 5 has nothing .*1 device in .*SP_OURID=5 \(--set\).*client 1 has os-1/u,
        ),
      ],
      [
        'volumes',
        expect.stringMatching(/1 volume wanted, but not attached: os-1 \(a\) Answer the question/u),
      ],
    ]);
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
      expect.stringMatching(/^5000 volumes wanted .*and 4990 more Drivers/u),
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
