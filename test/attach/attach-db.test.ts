import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  Api,
  AttachDB,
  type AttachRequest,
  SPConfig,
  SPConfigError,
  SPLockedJSONDB,
} from '../../src/index.js';
import { mockApi, request, settings, useAttachDB } from '../lib/attach-db.js';

const { path, log, fname, make, cache } = useAttachDB();

test('AttachDB has the cache of the reference by default, and reads nothing before it must', () => {
  const db = new AttachDB({ log, config: { file: path('missing.conf') } });
  expect(db.fname).toBe('/var/spool/openstack-storpool/openstack-attach.json');
  expect(() => db.config()).toThrow(SPConfigError);
  expect(() => db.api()).toThrow(/missing\.conf does not exist/);
});

test('config() is read once and kept, or the one that was given', () => {
  writeFileSync(path('storpool.conf'), 'SP_OURID=7\nSP_AUTH_TOKEN=1\n');
  const db = new AttachDB({ log, config: { file: path('storpool.conf'), env: {} } });
  expect(db.config().get('SP_OURID')).toBe('7');
  writeFileSync(path('storpool.conf'), 'SP_OURID=8\n');
  expect(db.clientId()).toBe(7);
  const config = new SPConfig({ overrideConfig: settings });
  expect(new AttachDB({ log, config }).config()).toBe(config);
});

test('api() is made once, or the one that was given', () => {
  const db = make();
  expect(db.api()).toBeInstanceOf(Api);
  expect(db.api()).toBe(db.api());
  const api = mockApi();
  expect(make({ api }).api()).toBe(api);
});

test.each([
  ['SP_API_HTTP_PORT', 'abc'],
  ['SP_API_HTTP_PORT', ''],
  ['SP_AUTH_TOKEN', ''],
])('sync() with %s=%j fails with an error that names it', async (key, value) => {
  await make().add('a', request('os--v'));
  await expect(make({ overrideConfig: { ...settings, [key]: value } }).sync('a')).rejects.toMatchObject({
    name: 'SPConfigError',
    message: expect.stringContaining(key),
  });
  expect(cache()).toMatchObject({ a: request('os--v') });
});

test('names begin with os, or with the prefix of the configuration', () => {
  const db = make();
  expect(db.volumePrefix()).toBe('os');
  expect(db.volumeName('1')).toBe('os--volume-1');
  expect(db.volsnapName('1', '9')).toBe('os--volsnap-1--req-9');
  const more = [undefined, null, 'more', ''].map((value) => db.snapshotName('vm', '1', value));
  expect(more).toEqual(['none', 'none', 'more', ''].map((name) => `os--vm--${name}--snapshot-1`));
  const overrideConfig = { ...settings, SP_OPENSTACK_VOLUME_PREFIX: 'lab' };
  expect(make({ overrideConfig }).volumeName('1')).toBe('lab--volume-1');
});

test('overrideConfig is what it was when it was given', () => {
  const overrideConfig = { ...settings };
  const db = make({ overrideConfig });
  overrideConfig.SP_OURID = '5';
  expect(db.clientId()).toBe(1);
});

test.each([5, 'abc', ['x'], null])('overrideConfig %j is refused', (overrideConfig) => {
  expect(() => make({ overrideConfig: overrideConfig as never })).toThrow('overrideConfig must be an object');
});

test.each([undefined, '', 'abc', '0', '-1', '1.5', '+7', '1_0', '99999999999999999999'])(
  'SP_OURID=%j is refused by all calls that need it',
  async (id) => {
    const { SP_OURID, ...rest } = settings;
    const overrideConfig = id === undefined ? rest : { ...rest, SP_OURID: id };
    const db = make({ overrideConfig, api: mockApi() });
    await db.add('a', request('os--v'));
    const attach = db.attach('b', request('os--v'));
    for (const call of [db.sync('a'), db.plan('a'), db.sync('nobody', 'os--v'), attach, db.detach('a')]) {
      await expect(call).rejects.toMatchObject({
        name: 'AttachError',
        code: 'ENOCLIENTID',
        message: expect.stringMatching(/SP_OURID is .*in overrideConfig$/),
      });
    }
    expect(Object.keys(cache())).toEqual(['a']);
  },
);

describe('requests', () => {
  test('keep the members that others have put there', async () => {
    const db = make();
    const full = request('os--v', { id: 'a', type: 'nova', remove_on_detach: true, theirs: { x: 1 } });
    await db.add('a', full);
    expect(cache()).toEqual({ a: full });
  });

  test.each([
    [{ rights: 2 }, 'names no volume'],
    [{ volume: '', rights: 2 }, 'names no volume'],
    [{ volume: 'v' }, 'has the rights undefined'],
    [{ volume: 'v', rights: 'rw' }, 'has the rights "rw"'],
    [{ volume: 'v', rights: 3 }, 'has the rights 3'],
    [null, 'is not an object'],
    ['os--v', 'is a string instead of an object: { volume: "os--v", rights: 2 }'],
    [[], 'is not an object'],
  ])('%j is refused', async (wrong, problem) => {
    const db = make({ api: mockApi() });
    await expect(db.add('a', wrong as unknown as AttachRequest)).rejects.toMatchObject({
      name: 'AttachError',
      code: 'EBADREQUEST',
      message: `Request a to be added ${problem}${problem.includes('has the rights') ? ' instead of 1 (read-only) or 2 (read/write)' : ''}; correct it or remove it`,
    });
    expect(cache()).toEqual({});
    await new SPLockedJSONDB(fname()).add('b', wrong);
    await db.add('a', request('os--v'));
    await expect(db.sync('a')).rejects.toMatchObject({
      code: 'EBADREQUEST',
      message: expect.stringContaining(`Request b in ${fname()} ${problem}`),
    });
    expect(db.api().attachmentsList).not.toHaveBeenCalled();
  });
});
