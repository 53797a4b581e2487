import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2', 'os-3', 'pve-1'],
  attachments: [
    { volume: 'os-1' },
    { volume: 'os-3', rights: 'ro' },
    { volume: 'pve-1' },
    { volume: 'os-2', client: 2 },
  ],
});
const since = '2026-01-14T02:04:11.000Z';
const content = { ...entry('a', 'os-1', { since }), ...entry('b', 'os-2') };
const whole = JSON.stringify(content);
const torn = whole.slice(0, -20);
/** As it was written two hours ago. */
function journal(cache: object, mark = '\n') {
  const path = `${host.file()}.backup`;
  writeFileSync(path, JSON.stringify(cache) + mark);
  utimesSync(path, Date.now() / 1000 - 7200, Date.now() / 1000 - 7200);
}
const bytes = () => readFileSync(host.file(), 'utf8');
const isKept = () => existsSync(`${host.file()}.torn`);
const report = async (...args: string[]) => {
  const { code, json } = await host.cli('repair', ['--json', '--dry-run', ...args]);
  expect(code).toBe(0);
  return json();
};
const rows = (found: { entries: { request: string; from: string }[] }) =>
  found.entries.map(({ request, from }) => `${request} ${from}`);

test('repair shows what is whole, where it comes from, what is attached and what is lost; then it asks', async () => {
  host.writeCache(torn);
  journal({ ...entry('c', 'os-gone'), ...entry('a', 'os-other') });
  const questions: string[] = [];
  const ask = async (question: string) => {
    questions.push(question);
    expect(existsSync(`${host.file()}.lock`)).toBe(false);
    return 'n';
  };
  const { code, stdout } = await host.cli('repair', [], { ask });
  const file = host.file();
  expect(stdout).toBe(`${file} is torn. This is whole in it or in FILE.backup:

REQUEST  VOLUME   WANTS  HAS  FROM         WRITTEN
a        os-1     rw     rw   torn file    0 s ago
c        os-gone  rw     -    FILE.backup  2 h ago
-        os-3     -      ro   attached     -

a is also there as ${JSON.stringify(entry('', 'os-other', { id: 'a' })[''])}
Lost, as no whole request, at byte ${torn.indexOf('"b"')}: ${torn.slice(torn.indexOf('"b"'))}
1 volume attached without a known request, which this library never detaches. If one is in use, let its service attach it again, which makes the request.
To do: write 2 requests into ${file}, and keep what is there now as ${file}.torn. A request that nobody needs any more can be dropped later with "storpool-attachdb forget".
`);
  expect([code, questions, bytes(), isKept()]).toEqual([1, ['Do it? [y/N] '], torn, false]);
});

test('repair --yes writes what it shows, and keeps what was torn', async () => {
  host.writeCache(torn);
  chmodSync(host.file(), 0o600);
  if (process.getuid?.() === 0) chownSync(host.file(), 0, 61_234);
  const { ino, gid } = statSync(host.file());
  journal({ ...content, ...entry('c', 'os-3') }, '\t');
  const { code, stdout } = await host.cli('repair', ['--yes']);
  const written = expect.stringMatching(/Written\. What was torn is in \S+cache\.json\.torn\n$/u);
  expect([code, stdout]).toEqual([0, written]);
  expect(host.readCache()).toEqual({ ...content, ...entry('c', 'os-3') });
  expect([readFileSync(`${host.file()}.torn`, 'utf8'), statSync(host.file()).ino]).toEqual([torn, ino]);
  expect(statSync(`${host.file()}.torn`)).toMatchObject({ gid, mode: 0o100600 });
  expect(await new SPLockedJSONDB(host.file()).get()).toEqual(host.readCache());
});

test('repair --json has the documented shape', async () => {
  host.writeCache(`${whole.slice(0, -1)},"c":{"volume":"os-3"},"d`);
  const { code, json } = await host.cli('repair', ['--json', '--yes']);
  expect(code).toBe(0);
  expect(json()).toEqual({
    file: host.file(),
    entries: [
      expect.objectContaining({ request: 'a', has: 'rw', since }),
      {
        request: 'b',
        volume: 'os-2',
        wants: 'rw',
        has: null,
        from: 'torn file',
        written: expect.stringMatching(/^\d{4}-.*Z$/u),
        since: null,
        problem: null,
        differs: [],
        entry: content['b'],
      },
      expect.objectContaining({
        request: 'c',
        wants: null,
        has: 'ro',
        problem: expect.stringMatching(/Request c .* has the rights/u),
      }),
    ],
    lost: [{ at: expect.any(Number), content: '"d' }],
    unexplained: [],
    notCompared: null,
    written: true,
    kept: `${host.file()}.torn`,
  });
});

describe('repair finds every whole entry of the file and of FILE.backup', () => {
  test.each([
    ['cut, with an old journal', torn, '\n', ['a torn file', 'b FILE.backup', 'c FILE.backup']],
    ['cut, with a journal under way', torn, '\t', ['a torn file', 'b FILE.backup', 'c FILE.backup']],
    ['empty', '', '\n', ['a FILE.backup', 'b FILE.backup', 'c FILE.backup']],
    ['NUL bytes', `${torn}${'\0'.repeat(20)}`, '\n', ['a torn file', 'b FILE.backup', 'c FILE.backup']],
    ['a trailing comma, without a journal', `${whole.slice(0, -1)},}`, null, ['a torn file', 'b torn file']],
    ['half of one before whole ones', `{"x": {"vol${whole}`, null, ['a torn file', 'b torn file']],
    ['both torn', torn, '', ['a torn file', 'b FILE.backup']],
  ])('%s', async (_what, file, mark, expected) => {
    host.writeCache(file);
    const inJournal = { ...content, ...entry('c', 'os-3') };
    if (mark !== null) journal(inJournal, mark);
    if (mark === '') writeFileSync(`${host.file()}.backup`, JSON.stringify(inJournal).slice(0, -9));
    expect(rows(await report())).toEqual(expected);
    expect(bytes()).toBe(file);
  });

  test('of 5,000, and a journal that is no file', async () => {
    const many = Object.assign({}, ...Array.from({ length: 5000 }, (_, n) => entry(`r${n}`, `os-${n}`)));
    host.writeCache(JSON.stringify(many).slice(0, -5));
    mkdirSync(`${host.file()}.backup`);
    expect((await report()).entries.length).toBe(4999);
  });
});

test('repair without an API says what it could not compare, and writes all the same', async () => {
  host.writeCache(torn);
  const args = ['--set', 'SP_API_HTTP_PORT=1'];
  expect((await report(...args)).notCompared).toMatch(/ECONNREFUSED/u);
  expect((await report('--config', '/nowhere')).notCompared).toMatch(/nowhere does not exist/u);
  const { code, stdout } = await host.cli('repair', ['--yes', ...args]);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/a +os-1 +rw +\? .*Not compared .*ECONNREFUSED/su),
  ]);
});

test('repair refuses a file that is JSON, or that its journal finishes', async () => {
  host.writeCache(content);
  expect(await host.cli('repair', ['--yes'])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/is JSON, so there is nothing to repair/u),
  });
  host.writeCache(torn);
  writeFileSync(`${host.file()}.backup`, `${whole}\t`);
  expect((await host.cli('repair', ['--yes'])).stderr).toMatch(
    /was interrupted; it was finished.*nothing to repair/su,
  );
  expect([host.readCache(), isKept()]).toEqual([content, false]);
});

test('repair of JSON that is no object finds nothing in it', async () => {
  host.writeCache('[1]');
  expect(await report()).toMatchObject({ entries: [], lost: [{ at: 0, content: '[1]' }] });
});

test('repair starts again when the file has changed while it asked', async () => {
  host.writeCache(torn);
  const changes = [() => host.writeCache(`${torn}   `), () => undefined];
  const ask = async () => {
    changes.shift()?.();
    return 'y';
  };
  const { code, stdout } = await host.cli('repair', [], { ask });
  expect([code, stdout.match(/^To do|^The file has changed since|^Written/gmu)]).toEqual([
    0,
    ['To do', 'The file has changed since', 'To do', 'Written'],
  ]);
  expect(readFileSync(`${host.file()}.torn`, 'utf8')).toBe(`${torn}   `);

  host.writeCache(torn);
  changes.push(() => host.writeCache({}));
  const mended = await host.cli('repair', [], { ask });
  expect([mended.code, mended.stderr, host.readCache()]).toEqual([3, expect.stringMatching(/is JSON/u), {}]);
});

test('repair destroys nothing that an earlier one has kept, and follows no link', async () => {
  const kept = `${host.file()}.torn`;
  symlinkSync(host.path('elsewhere'), kept);
  host.writeCache(torn);
  expect(await host.cli('repair', ['--yes'])).toMatchObject({ code: 0 });
  host.writeCache('{');
  utimesSync(kept, 1_768_356_251, 1_768_356_251);
  expect(await host.cli('repair', ['--yes'])).toMatchObject({ code: 0 });
  expect([kept, `${kept}-${since}`].map((path) => readFileSync(path, 'utf8'))).toEqual(['{', torn]);
  expect(existsSync(host.path('elsewhere'))).toBe(false);
});
