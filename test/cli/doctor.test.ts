import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { entry, useHost } from './host.js';

const TOKEN = 's3cr3t-t0ken';
const host = useHost({
  volumes: ['os-1', 'os-2', 'pve-1'],
  attachments: [{ volume: 'os-1' }, { volume: 'os-2', client: 7 }],
  token: TOKEN,
});
const healthy = () => entry('a', 'os-1');
const age = (path: string, minutes: number) => {
  const then = Date.now() / 1000 - minutes * 60;
  utimesSync(path, then, then);
};
const side = (end: string, content = 'x') => writeFileSync(host.file() + end, content);
const CHECKS = 'configuration API directory file leftovers clock lock cache volumes'.split(' ');

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
  expect(checks.at(-1)).toEqual({
    check: 'volumes',
    state: 'fault',
    message: '1 volume stale: not in the cluster: os-gone (b)',
    details: [],
    remedy: 'The next sync() of a service drops the request; so does --fix, or',
    command: `storpool-attachdb forget b ${host.args().join(' ')}`,
    fix: `remove from ${host.file()} the requests b`,
  });
});

/** What is planted, the check that finds it, what that says, how to plant it, and more arguments. */
type Case = [what: string, check: string, words: RegExp, plant: () => unknown, more?: string[]];
const also = (cache: object) => () => host.writeCache({ ...healthy(), ...cache });
const mode = (path: string, bits: number) => () => chmodSync(host.path(path), bits);
const set = (one: string) => ['--set', one];
const [conf, cache] = ['storpool.conf', 'spool/cache.json'];
const nothing = () => undefined;
const remove = (path: string) => () => rmSync(host.path(path), { recursive: true });
const instead = (make: (path: string) => unknown) => () => [remove(cache)(), make(host.file())];
const link = (path: string) => symlinkSync('/nowhere', path);
const earlier = ['.restored', '.holder', '.torn.1', '.torn.12', '.backup.new'];
const garbage = () => host.fake().failNext('attachmentsList', 'garbage');
const reassign = (volume: string, how: object) => () => host.api().volumesReassign([{ volume, ...how }]);
const noId = entry('a', 'os-1', { id: undefined });

const ELSEWHERE: Case[] = [
  ['no file', 'configuration', /storpool\.conf does not exist: create it, or name another/u, remove(conf)],
  ['no settings', 'configuration', /line 1: expected/u, () => writeFileSync(host.path(conf), 'what?')],
  ['no client ID', 'configuration', /SP_OURID is not set.*conf or with --set/u, nothing, set('SP_OURID=')],
  ['no token', 'configuration', /SP_AUTH_TOKEN/u, nothing, set('SP_AUTH_TOKEN=')],
  ['a token to read', 'configuration', /may read .*chgrp spopenstack \S+; chmod g\+r,o=/u, mode(conf, 0o644)],
  ['a wrong token', 'API', /notAuth.*Correct SP_AUTH_TOKEN \(--set\)/u, nothing, set('SP_AUTH_TOKEN=x')],
  ['no service', 'API', /ECONNREFUSED.*SP_API_HTTP_HOST \(\S+conf\)/u, () => host.fake().close()],
  ['no HTTP', 'API', /HTTP.*log of the/u, garbage],
  ['no directory', 'directory', /not exist .*groupadd --system spopenstack; install -d/u, remove('spool')],
  ['a strict one', 'directory', /0750: its group may not write it .*chmod g\+rwx/u, mode('spool', 0o750)],
  ['no cache', 'file', /does not exist .*echo '\{\}'.*chgrp spopenstack/u, remove(cache)],
  ['a strict cache', 'file', /0640: its group may not write it .*chmod g\+rw /u, mode(cache, 0o640)],
  ['one for everybody', 'file', /everybody may write it .*chmod o-w/u, mode(cache, 0o666)],
  ['a dangling link', 'file', /not a regular file .*mv \S+ \S+-moved; echo/u, instead(link)],
  ['a directory', 'file', /not a regular file .*mv \S+ \S+-moved; echo/u, instead(mkdirSync)],
  ['a clock set back', 'clock', /in the future: \S+cache\.json/u, () => age(host.file(), -10)],
  ['a torn cache', 'cache', /JSON.* storpool-attachdb repair --config/u, () => host.writeCache('{"a": {"v')],
  ['a list', 'cache', /a list.* storpool-attachdb repair/u, () => host.writeCache('[]')],
  ['an entry without ID', 'cache', /a .* has no id Correct.*forget a/u, also(noId)],
  ['the ID of another', 'cache', /has the id "b"/u, also(entry('a', 'os-1', { id: 'b' }))],
  [
    'side files',
    'leftovers',
    /earlier version: .*backup\.new.*--fix/u,
    () => earlier.map((end) => side(end)),
  ],
];
const IN_STATUS: Case[] = [
  ['no request', 'cache', /b .* has the rights 3.* forget b /u, also({ b: { volume: 'os-2', rights: 3 } })],
  ['not attached', 'volumes', /1 volume not attached: os-2 \(b\).* forget b /u, also(entry('b', 'os-2'))],
  ['unasked', 'volumes', /os-2 .* never .* storpool detach volume os-2 here/u, reassign('os-2', { rw: [1] })],
  ['read-only', 'volumes', /read-only, but read\/write wanted: os-1 \(a\)/u, reassign('os-1', { ro: [1] })],
  ['not ours', 'volumes', /pve-1 \(b\) Is SP_OPENSTACK_VOLUME_PREFIX=os right/u, also(entry('b', 'pve-1'))],
  ['gone', 'volumes', /os-gone \(b c\).* forget 'b c' /u, also(entry('b c', 'os-gone'))],
  ['no device', 'volumes', /no device: os-1 \(a\) .*systemctl status storpool/u, remove('dev/os-1')],
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
    const question = /Client 5 has nothing .*1 device in .*SP_OURID=5 \(--set\).*client 1 has os-1/u;
    expect(await host.faults(set('SP_OURID=5'))).toEqual([
      ['volumes', expect.stringMatching(question)],
      ['volumes', expect.stringMatching(/not attached: os-1 \(a\) Answer the question .*first $/u)],
    ]);
  });
});

describe('doctor', () => {
  test('says what could not be looked at, and why', async () => {
    rmSync(host.path('spool'), { recursive: true });
    rmSync(host.path('storpool.conf'));
    const { stdout } = await host.cli('doctor');
    const skipped = CHECKS.filter((check) => !['configuration', 'directory'].includes(check));
    expect(stdout.match(/^\w+(?= +- +not checked: \S)/gmu)?.sort()).toEqual(skipped.sort());
  });

  test('a lock that its maker has left is no fault: it is taken over', async () => {
    host.writeCache(healthy());
    mkdirSync(`${host.file()}.lock`);
    age(`${host.file()}.lock`, 1);
    expect(await host.faults()).toEqual([]);
    expect(readdirSync(host.path('spool'))).toEqual(['cache.json']);
  });

  test('a lock that is held is one, and says when it is taken over', async () => {
    mkdirSync(`${host.file()}.lock`);
    const words = /could not be locked.*after 10 s without a refresh it is taken over/u;
    // On a busy machine, the API may not answer in that time either.
    const faults = await host.faults(['--timeout', '0.5']);
    expect(faults.filter(([check]) => check !== 'API')).toEqual([['lock', expect.stringMatching(words)]]);
  });

  test('a journal that is under way beside a whole file, and what a repair has kept, are no faults', async () => {
    host.writeCache(healthy());
    side('.backup', '{"b": 1}\t');
    side('.torn', '{');
    const { code, stdout } = await host.cli('doctor');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/cache\.json\.torn: kept by a repair/u)]);
  });

  test('does not spell out a long list', async () => {
    const gone = Array.from({ length: 50 }, (_, n) => entry(`r${n}`, `os-gone-${n}`));
    host.writeCache(Object.assign({}, healthy(), ...gone));
    expect((await host.faults())[0]?.[1]).toMatch(/^50 volumes stale.*and 40 more The next/u);
  });

  test('prints what to type in one line of its own', async () => {
    host.writeCache({ ...healthy(), ...entry('b', 'os-2') });
    const { stdout } = await host.cli('doctor', [], { columns: 60 });
    const line = /^ +\$ storpool-attachdb forget b --config \S+ --file \S+ --device-dir \S+$/mu;
    expect(stdout).toMatch(line);
  });
});

describe('doctor --fix', () => {
  const sick = () => {
    host.writeCache({ ...healthy(), ...entry('b', 'os-gone') });
    for (const end of ['.torn.1', '.torn-kept', '.restored']) side(end);
    mkdirSync(`${host.file()}.holder`);
  };
  const isThere = (...ends: string[]) => ends.map((end) => existsSync(host.file() + end));
  const isSick = () => [...isThere('.torn.1', '.restored'), 'b' in host.readCache()];

  test('shows what it would do, and does it when told to', async () => {
    sick();
    const no = await host.cli('doctor', ['--fix'], { ask: async () => 'no' });
    expect(no.stdout).toMatch(
      /To do:\n {2}remove \S+restored, \S+torn\.1\n {2}remove from .* the requests b\n$/u,
    );
    expect([no.code, isSick()]).toEqual([1, [true, true, true]]);
    const yes = await host.cli('doctor', ['--fix'], { ask: async () => ' Y ' });
    expect([yes.code, isSick()]).toEqual([0, [false, false, false]]);
    expect(isThere('.torn-kept', '.holder')).toEqual([true, true]);
    expect(yes.stdout).toMatch(/no fault found\n$/u);
    expect(host.fake().requests.every(({ method }) => method === 'GET')).toBe(true);
  });

  test('does nothing where nobody can be asked', async () => {
    sick();
    const { code, stderr } = await host.cli('doctor', ['--fix']);
    const why = expect.stringMatching(/--yes does it/u);
    expect([code, stderr, isSick()]).toEqual([1, why, [true, true, true]]);
  });

  test('asks nothing where nothing is to be done, and does not touch a torn cache', async () => {
    host.writeCache(healthy());
    expect(await host.cli('doctor', ['--fix'])).toMatchObject({ code: 0, stderr: '' });
    host.writeCache('{');
    const { code, json } = await host.cli('doctor', ['--fix', '--yes', '--json']);
    expect([code, json().fixed, readFileSync(host.file(), 'utf8')]).toEqual([1, [], '{']);
  });
});
