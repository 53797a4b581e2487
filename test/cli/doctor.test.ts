import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { entry, useHost } from './host.js';

const TOKEN = 's3cr3t-t0ken';
const host = useHost({ volumes: ['os-1', 'os-2'], attachments: [{ volume: 'os-1' }], token: TOKEN });
const healthy = () => entry('a', 'os-1');
const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
const age = (path: string, minutes: number) => utimesSync(path, minutesAgo(minutes), minutesAgo(minutes));
const asRoot = test.runIf(process.getuid?.() === 0);

test('a healthy host: exit status 0, and each check says what it has seen', async () => {
  host.writeCache(healthy());
  const { code, stdout } = await host.cli('doctor');
  expect([code, stdout]).toEqual([0, expect.stringMatching(/no fault found\n$/u)]);
  expect([...stdout.matchAll(/^(\w+) +(ok|FAULT|-) /gmu)].map((match) => `${match[1]} ${match[2]}`)).toEqual(
    [
      'configuration',
      'API',
      'directory',
      'file',
      'lock',
      'cache',
      'leftovers',
      'volumes',
      'devices',
      'clock',
    ].map((name) => `${name} ok`),
  );
  expect(stdout).toContain(`SP_OURID=1 (${host.path('storpool.conf')})`);
  expect(stdout).toContain('SP_AUTH_TOKEN=[hidden]');
  expect(stdout).not.toContain(TOKEN);
});

test('--json has the documented shape', async () => {
  host.writeCache({ ...healthy(), ...entry('b', 'os-gone') });
  const { code, json } = await host.cli('doctor', ['--json']);
  const report = json() as { checks: Record<string, unknown>[] };
  expect(code).toBe(1);
  expect(report).toMatchObject({ ok: false, file: host.file(), fixed: [] });
  expect(report.checks.map((one) => one['check'])).toContain('API');
  for (const check of report.checks) {
    expect(Object.keys(check).sort()).toEqual(['check', 'details', 'fix', 'message', 'remedy', 'state']);
  }
  expect(report.checks.find((one) => one['check'] === 'volumes')).toEqual({
    check: 'volumes',
    state: 'fault',
    message: `1 request in ${host.file()} for volumes that the cluster does not have: b`,
    details: [],
    remedy: 'The next sync() removes them; so does --fix',
    fix: `remove from ${host.file()} the requests b`,
  });
});

describe('each fault is named, and nothing else', () => {
  const side = (end: string, content = 'x') => writeFileSync(`${host.file()}${end}`, content);
  test.each<[string, () => unknown, [string, RegExp], string[]?]>([
    [
      'no configuration',
      () => rmSync(host.path('storpool.conf')),
      ['configuration', /storpool\.conf does not exist/u],
    ],
    [
      'a configuration that does not parse',
      () => writeFileSync(host.path('storpool.conf'), 'what?'),
      ['configuration', /line 1: expected/u],
    ],
    [
      'a token that is not let in',
      () => undefined,
      ['API', /notAuthorized.*Correct SP_AUTH_TOKEN \(--set\)/u],
      ['--set', 'SP_AUTH_TOKEN=wrong'],
    ],
    ['no client ID', () => undefined, ['configuration', /SP_OURID/u], ['--set', 'SP_OURID=']],
    ['no token', () => undefined, ['configuration', /SP_AUTH_TOKEN/u], ['--set', 'SP_AUTH_TOKEN=']],
    [
      'no API',
      () => host.fake().close(),
      ['API', /ECONNREFUSED.*Is the management service running.*SP_API_HTTP_HOST \(\S+storpool\.conf\)/u],
    ],
    [
      'something else than the API',
      () => host.fake().failNext('attachmentsList', 'garbage'),
      ['API', /HTTP.*log of the management service/u],
    ],
    [
      'no directory',
      () => rmSync(host.path('spool'), { recursive: true }),
      ['directory', /does not exist install -d -o root -g spopenstack -m 2770/u],
    ],
    ['no cache', () => rmSync(host.file()), ['file', /does not exist echo '\{\}'/u]],
    [
      'a file in the place of its directory',
      () => [rmSync(host.path('spool'), { recursive: true }), writeFileSync(host.path('spool'), '')],
      ['directory', /spool is not a directory Move it away; then install -d/u],
    ],
    [
      'a directory that its group may not write',
      () => chmodSync(host.path('spool'), 0o750),
      ['directory', /0750: its group may not write it chmod g\+rwx/u],
    ],
    [
      'a file that its group may not write',
      () => chmodSync(host.file(), 0o640),
      ['file', /0640: its group may not write it chmod g\+rw /u],
    ],
    [
      'a file for everybody',
      () => chmodSync(host.file(), 0o666),
      ['file', /everybody may write it chmod o-w/u],
    ],
    [
      'a held lock',
      () => mkdirSync(`${host.file()}.lock`),
      ['lock', /has been locked for more than a second/u],
    ],
    [
      'a torn cache',
      () => host.writeCache('{"a": {"vol'),
      ['cache', /cache\.json .*JSON.*"Rebuilding the cache"/u],
    ],
    ['a cache that is a list', () => host.writeCache('[]'), ['cache', /does not hold a JSON object/u]],
    [
      'an entry that is no request',
      () => host.writeCache({ ...healthy(), b: { volume: 'os-2', rights: 3 } }),
      ['cache', /Request b .* has the rights 3/u],
    ],
    [
      'an entry without its ID',
      () => host.writeCache(entry('a', 'os-1', { id: undefined })),
      ['cache', /Request a .* has no id Python services fail on it/u],
    ],
    [
      'an entry with the ID of another',
      () => host.writeCache(entry('a', 'os-1', { id: 'b' })),
      ['cache', /has the id "b"/u],
    ],
    [
      'an old copy',
      () => [side('.backup', '{}'), age(`${host.file()}.backup`, 20)],
      ['cache', /20 minutes older/u],
    ],
    [
      'a dead holder',
      () => [mkdirSync(`${host.file()}.lock`), side('.holder'), age(`${host.file()}.lock`, 1)],
      ['leftovers', /cache\.json\.lock: whoever made it has died/u],
    ],
    [
      'what was torn',
      () => [side('.torn'), side('.torn.1')],
      ['leftovers', /2 torn files .*torn \(1 bytes\)/u],
    ],
    [
      'the mark of a restore',
      () => side('.restored'),
      ['leftovers', /restored.*nothing is lost; --fix removes the mark/u],
    ],
    [
      'a request for a volume that is gone',
      () => host.writeCache({ ...healthy(), ...entry('b', 'os-gone') }),
      ['volumes', /1 request .* does not have: b/u],
    ],
    [
      'a device that is not there',
      () => rmSync(host.path('dev/os-1')),
      ['devices', /1 attached volume without a device in \S+dev: os-1 /u],
    ],
    [
      'a clock that was set back',
      () => age(host.file(), -10),
      ['clock', /cache\.json: changed [56]\d\d s in the future/u],
    ],
  ])('%s', async (_what, plant, [check, words], more = []) => {
    host.writeCache(healthy());
    await plant();
    expect(await host.faults(more)).toEqual([[check, expect.stringMatching(words)]]);
  });

  test('a lock that somebody has held for long is not abandoned', async () => {
    host.writeCache(healthy());
    mkdirSync(`${host.file()}.lock`);
    writeFileSync(`${host.file()}.holder`, 'x');
    age(`${host.file()}.holder`, 5);
    expect((await host.faults()).map(([check]) => check)).toEqual(['lock']);
  });

  test('a directory in place of the cache', async () => {
    rmSync(host.file());
    mkdirSync(host.file());
    expect(await host.faults()).toEqual([
      ['file', expect.stringMatching(/cache\.json is not a regular file/u)],
    ]);
  });

  asRoot('a group that this host does not have', async () => {
    host.writeCache(healthy());
    chownSync(host.path('spool'), 0, 61_234);
    chownSync(host.file(), 0, 61_234);
    expect((await host.faults()).map((found) => found.join(' '))).toEqual([
      expect.stringMatching(
        /^directory .* is root:61234 2770: this host has no group 61234 .*groupadd -g 61234 spopenstack/u,
      ),
      expect.stringMatching(/^file .* is root:61234 0660: this host has no group 61234/u),
    ]);
  });

  asRoot('a file of another group than its directory', async () => {
    host.writeCache(healthy());
    chownSync(host.file(), 0, 1);
    expect(await host.faults()).toEqual([
      ['file', expect.stringMatching(/but its directory has the group root chgrp root/u)],
    ]);
  });

  test('an API that is slow', async () => {
    const server = createServer((_request, response) => {
      setTimeout(() => response.end('{"generation": "1", "data": []}'), 2050);
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    expect(await host.faults(['--set', `SP_API_HTTP_PORT=${port}`])).toEqual([
      ['API', expect.stringMatching(/answers in \d{4} ms Look at the load/u)],
    ]);
    server.close();
  });

  test('what could not be looked at says why', async () => {
    rmSync(host.path('spool'), { recursive: true });
    rmSync(host.path('storpool.conf'));
    const { stdout } = await host.cli('doctor');
    expect([...stdout.matchAll(/^(\w+) +- +not checked: \S/gmu)].map((match) => match[1])).toEqual([
      'API',
      'file',
      'lock',
      'cache',
      'leftovers',
      'volumes',
      'devices',
    ]);
  });

  test('a copy that is younger than ten minutes is no fault', async () => {
    host.writeCache(healthy());
    side('.backup', '{}');
    age(`${host.file()}.backup`, 9);
    expect((await host.cli('doctor')).stdout).toMatch(/1 request, the copy is young/u);
  });

  test('the mark of a restore without a look at what is attached is left to the operator', async () => {
    host.writeCache(healthy());
    side('.restored', 'on Monday\nfrom a copy\n');
    rmSync(host.path('storpool.conf'));
    const { json } = await host.cli('doctor', ['--json']);
    const [found] = json().checks.filter(({ check }: { check: string }) => check === 'leftovers');
    expect(found).toMatchObject({
      state: 'fault',
      details: ['on Monday', 'from a copy'],
      remedy: expect.stringMatching(/"status" shows/u),
      fix: null,
    });
  });

  test('directories in the place of the files beside the cache', async () => {
    host.writeCache(healthy());
    mkdirSync(`${host.file()}.backup`);
    mkdirSync(`${host.file()}.restored`);
    expect((await host.faults()).map(([check]) => check)).toEqual(['leftovers']);
  });

  test('a long list is not spelt out', async () => {
    host.writeCache(
      Object.assign({}, ...Array.from({ length: 5000 }, (_, n) => entry(`r${n}`, `os-gone-${n}`))),
    );
    expect(await host.faults()).toEqual([
      ['volumes', expect.stringMatching(/^5000 requests .*: r0, .*r1005 and 4990 more The next/u)],
    ]);
  });

  test('many at once, each by its own', async () => {
    host.writeCache({ a: 1, ...entry('b', 'os-gone') });
    writeFileSync(`${host.file()}.restored`, 'x');
    renameSync(host.path('dev/os-1'), host.path('dev/x'));
    const { code, stdout } = await host.cli('doctor', ['--set', 'SP_OURID=1']);
    expect(code).toBe(1);
    expect([...stdout.matchAll(/^(\w+) +FAULT/gmu)].map((match) => match[1])).toEqual([
      'cache',
      'leftovers',
      'volumes',
    ]);
    expect(stdout).toMatch(/attached, but without a request: os-1\)/u);
    expect(stdout).toMatch(/3 faults; "storpool-attachdb doctor --fix" mends what it safely can/u);
  });
});

test('a torn cache with a copy: what a service would make of it, and the cache stays as it is', async () => {
  await new SPLockedJSONDB(host.file()).add('a', healthy()['a']);
  host.writeCache('{');
  const found = await host.faults();
  expect(found).toEqual([
    ['cache', expect.stringMatching(/is torn or damaged.*restores it from its copy; --fix/u)],
  ]);
  expect(readFileSync(host.file(), 'utf8')).toBe('{');
  expect(readdirSync(host.path('spool'))).toEqual(['cache.json', 'cache.json.backup']);

  // Whose tear it was is not known: so much is left for a look.
  const { json } = await host.cli('doctor', ['--fix', '--yes', '--json']);
  expect(json().fixed).toEqual([
    `read ${host.file()} as a service does, which restores it or renews its copy`,
  ]);
  expect(host.readCache()).toEqual(healthy());
  expect((await host.faults()).map(([check]) => check)).toEqual(['leftovers', 'leftovers']);
  expect((await host.cli('doctor')).stdout).toMatch(
    /\n +\S+Z by process \d+ on \S+: \S+cache\.json was torn and was restored from/u,
  );
  expect(await host.cli('doctor', ['--fix', '--yes'])).toMatchObject({ code: 0 });
});

test('an old copy is renewed by --fix', async () => {
  await new SPLockedJSONDB(host.file()).add('b', 1);
  age(`${host.file()}.backup`, 20);
  host.writeCache(healthy());
  expect(await host.cli('doctor', ['--fix', '--yes'])).toMatchObject({ code: 0 });
});

describe('--fix', () => {
  const sick = () => {
    host.writeCache({ ...healthy(), ...entry('b', 'os-gone') });
    writeFileSync(`${host.file()}.torn.1`, 'x');
    writeFileSync(`${host.file()}.torn-kept`, 'x');
    writeFileSync(`${host.file()}.restored`, 'x');
    mkdirSync(`${host.file()}.lock`);
    age(`${host.file()}.lock`, 1);
  };
  const isSick = () => [
    ...['.torn.1', '.restored', '.lock'].map((end) => existsSync(host.file() + end)),
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
      /To do:\n {2}wait up to 15 s for the lock .*\n {2}remove .*torn\.1\n {2}remove .*restored\n {2}remove from .* the requests b\n$/u,
    );
    expect([no.code, isSick()]).toEqual([1, [true, true, true, true]]);
    const yes = await host.cli('doctor', ['--fix'], answer(' Y '));
    expect([yes.code, isSick()]).toEqual([0, [false, false, false, false]]);
    expect(existsSync(`${host.file()}.torn-kept`)).toBe(true);
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
      [true, true, true, true],
    ]);
  });

  test('leaves the mark of a restore while something may be lost', async () => {
    host.writeCache({});
    writeFileSync(`${host.file()}.restored`, 'x');
    const { code, json } = await host.cli('doctor', ['--fix', '--yes', '--json']);
    expect([code, json().fixed, existsSync(`${host.file()}.restored`)]).toEqual([1, [], true]);
  });

  test('asks nothing where nothing is to be done', async () => {
    host.writeCache(healthy());
    expect(await host.cli('doctor', ['--fix'])).toMatchObject({ code: 0, stderr: '' });
  });
});
