import { expect, test } from 'vitest';
import { CHECKS } from '../../src/cli/doctor/checks.js';
import type { Facts } from '../../src/cli/doctor/examine.js';
import type { FileFacts } from '../../src/cli/doctor/files.js';
import { SPConfig } from '../../src/index.js';

const FNAME = '/spool/cache.json';
const NOW = Date.UTC(2026, 0, 14);

const directory: FileFacts = {
  path: '/spool',
  kind: 'directory',
  owner: 'root',
  group: 'spopenstack',
  gid: 61_100,
  mode: 0o2770,
  mtimeMs: NOW,
  denied: undefined,
};

const facts = (changes: Partial<Facts> = {}): Facts => ({
  fname: FNAME,
  deviceDir: '/dev/storpool',
  user: { name: 'nova', gids: [61_100] },
  now: NOW,
  settings: { config: new SPConfig({ overrideConfig: {} }), originOf: () => 'default' },
  unusable: [],
  directory,
  side: [],
  locker: 'koffi',
  ...changes,
});

const remedy = (found: { remedy?: string }[]) => found.map((one) => one.remedy);

test('who is not in the group is told how to get in; who is, is told what else there is', () => {
  const denied = { ...directory, denied: 'EACCES' };
  expect(remedy(CHECKS.directory(facts({ directory: denied, user: { name: 'nova', gids: [1] } })))).toEqual([
    expect.stringMatching(/^usermod -aG spopenstack nova, and start the service again/u),
  ]);
  expect(remedy(CHECKS.directory(facts({ directory: { ...denied, denied: 'EROFS' } })))).toEqual([
    expect.stringMatching(/read-only, or is there an access list/u),
  ]);
});

test('a directory that cannot be reached', () => {
  const unreachable = Object.assign(new Error('EACCES: /spool'), { code: 'EACCES' });
  expect(remedy(CHECKS.directory(facts({ directory: unreachable })))).toEqual([
    'Let nova enter every directory on the way to it',
  ]);
});

test('an API that answers, but slowly', () => {
  expect(CHECKS.API(facts({ api: 2500 }))).toMatchObject([
    { state: 'fault', message: expect.stringMatching(/in 2500 ms/u) },
  ]);
});

test('each check says why it could not look', () => {
  const blind = facts({ directory: new Error('gone') });
  for (const check of [
    CHECKS.API,
    CHECKS.file,
    CHECKS.lock,
    CHECKS.cache,
    CHECKS.leftovers,
    CHECKS.volumes,
    CHECKS.devices,
  ]) {
    expect(check(blind)).toEqual([{ state: 'skipped', message: expect.stringMatching(/^not checked: /u) }]);
  }
});

test('a copy that is younger than ten minutes is no fault', () => {
  const cache = { entries: new Map(), restored: undefined, copyIsSame: false };
  const copy = (minutes: number) => [{ path: `${FNAME}.backup`, size: 2, mtimeMs: NOW - minutes * 60_000 }];
  const check = (minutes: number) => CHECKS.cache(facts({ cache, file: directory, side: copy(minutes) }));
  expect(check(9)).toMatchObject([{ state: 'ok', message: '0 requests, the copy is young' }]);
  expect(check(11)).toMatchObject([{ state: 'fault', fix: { kind: 'read' } }]);
});

test('the mark of a restore without a look at what is attached is left to the operator', () => {
  const side = [{ path: `${FNAME}.restored`, size: 1, mtimeMs: NOW }];
  const [found] = CHECKS.leftovers(facts({ side, restoredNote: 'on Monday\nfrom a copy\n' }));
  expect(found).toMatchObject({
    state: 'fault',
    details: ['on Monday', 'from a copy'],
    remedy: expect.stringMatching(/"status" shows/u),
  });
  expect(found?.fix).toBeUndefined();
  expect(CHECKS.leftovers(facts({ side, rows: [], restoredNote: new Error('EACCES') }))).toMatchObject([
    { details: ['EACCES'], fix: { kind: 'remove', files: side } },
  ]);
});
