import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULTS } from '../../src/config/defaults.js';
import { SPConfig, SPConfigError, type SPConfigOptions } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';
import { useConf } from './conf.js';

const { file, path, write, further, read } = useConf();
afterEach(() => vi.unstubAllEnvs());

describe('SPConfig', () => {
  const config = new SPConfig({ overrideConfig: { A: '1', EMPTY: '', SP_AUTH_TOKEN: 's3cr3t' } });
  const entries = [
    ['A', '1'],
    ['EMPTY', ''],
    ['SP_AUTH_TOKEN', 's3cr3t'],
  ];

  test('get() returns a value, the fallback or undefined', () => {
    const keys = ['A', 'EMPTY', 'B', 'toString', '__proto__'];
    expect(keys.map((key) => config.get(key))).toEqual(['1', '', undefined, undefined, undefined]);
    expect(keys.map((key) => config.get(key, 'x'))).toEqual(['1', '', 'x', 'x', 'x']);
    expect([config.get('B', null), config.get('B', 0)]).toEqual([null, 0]);
  });

  test('require() returns a value, or names the setting and the source', () => {
    expect([config.require('A'), config.require('EMPTY')]).toEqual(['1', '']);
    const error = thrownBy(() => config.require('B'), SPConfigError);
    expect(error).toMatchObject({ name: 'SPConfigError', code: 'ECONFIG', file: undefined, line: undefined });
    expect(error.message).toBe('B is not set: add it to overrideConfig');
    write('');
    expect(read().source).toBe(file());
    expect(() => read().require('SP_OURID')).toThrowError(`SP_OURID is not set: add it to ${file()}`);
  });

  test('has(), keys(), entries() and iteration see all settings and nothing else', () => {
    expect(config.source).toBe('overrideConfig');
    expect(['EMPTY', 'B', 'constructor'].map((key) => config.has(key))).toEqual([true, false, false]);
    expect([...config.keys()]).toEqual(['A', 'EMPTY', 'SP_AUTH_TOKEN']);
    expect([...config.entries()]).toEqual(entries);
    expect([...config]).toEqual(entries);
    expect(new Map(config).get('SP_AUTH_TOKEN')).toBe('s3cr3t');
  });

  test('toJSON() and inspect() hide the token', () => {
    expect(config.toJSON()).toEqual({ A: '1', EMPTY: '', SP_AUTH_TOKEN: '[hidden]' });
    expect(JSON.stringify(config)).toBe('{"A":"1","EMPTY":"","SP_AUTH_TOKEN":"[hidden]"}');
    expect(inspect(config)).toBe("SPConfig { A: '1', EMPTY: '', SP_AUTH_TOKEN: '[hidden]' }");
    expect(inspect(config, { showHidden: true, depth: null, customInspect: false })).not.toContain('s3cr3t');
    expect(Reflect.ownKeys(config)).toEqual([]);
  });

  test('origin() says where a setting comes from', () => {
    expect(['A', 'B', '__proto__'].map((key) => config.origin(key))).toEqual([
      'overrideConfig',
      undefined,
      undefined,
    ]);
    write('A=1\nB=1\nSP_API_HTTP_HOST=a\n[n]\nC=1\n[other]\nD=1\n');
    const more = further('more.conf', 'B=2\n');
    const found = read({ env: { SP_API_HTTP_HOST: 'b' } });
    const origins = ['A', 'B', 'C', 'D', 'SP_API_HTTP_HOST', 'SP_API_HTTP_PORT'].map((k) => found.origin(k));
    expect(origins).toEqual([file(), more, file(), undefined, 'environment', 'default']);
  });
});

test.each([null, 'node-1', 5])('%j is no object of options', (options) => {
  const error = thrownBy(() => new SPConfig(options as unknown as SPConfigOptions), SPConfigError);
  expect(error.message).toBe('the options of SPConfig are an object, for example { section }');
});

test('SPConfig refuses an option that it does not have', () => {
  const message =
    'SPConfig has no option "filename": it has section, missingOk, useEnv, env, file, dir, overrideConfig';
  const misspelled = { filename: file() } as SPConfigOptions;
  expect(thrownBy(() => new SPConfig(misspelled), SPConfigError).message).toBe(message);
  expect(thrownBy(() => SPConfig.sections(misspelled), SPConfigError).message).toBe(message);
});

describe('SPConfig reads', () => {
  test('the defaults, then the files', () => {
    write('SP_CACHE_SIZE=1\nA=2\n');
    expect(Object.fromEntries(read())).toEqual({ ...DEFAULTS, SP_CACHE_SIZE: '1', A: '2' });
    expect(DEFAULTS['SP_CACHE_SIZE']).toBe('4096');
  });

  test.each([
    ['n', '1'],
    ['n.b', '2'],
    ['N', '3'],
    ['__proto__', '4'],
    ['a[', '5'],
    [' ', '6'],
    ['constructor', '0'],
    ['', '0'],
  ])('the section that is called exactly %j', (section, value) => {
    write('A=0\n[n]\nA=1\n[n.b]\nA=2\n[N]\nA=3\n[__proto__]\nA=4\n[a[]\nA=5\n[ ]\nA=6\n');
    expect(read({ section }).get('A')).toBe(value);
  });

  test('the section of this host by default', () => {
    write(`A=0\n[${hostname()}]\nA=1\n`);
    expect(new SPConfig({ file: file(), env: {} }).get('A')).toBe('1');
  });

  test('the directory beside the main file, or the one that is given', () => {
    write('A=0\n[m]\n');
    further('a.conf', 'A=1\n');
    mkdirSync(path('other'));
    writeFileSync(path('other/b.conf'), 'A=2\n');
    expect(read().get('A')).toBe('1');
    expect(read({ dir: path('other') }).get('A')).toBe('2');
    expect(read({ dir: path('missing') }).get('A')).toBe('0');
  });

  test('further files even if the main one is missing', () => {
    further('a.conf', 'A=1\n[n]\nB=2\n');
    const config = read({ missingOk: true });
    expect([config.get('A'), config.get('B')]).toEqual(['1', '2']);
  });

  // As Python sorts these names.
  const SORTED = ['10', '9', 'B', 'a', 'b', 'é', 'ｚ', '😀'];
  test.each(SORTED.slice(1).map((name, at) => [SORTED[at], name]))('%s.conf before %s.conf', (one, next) => {
    write('');
    for (const name of [next, one]) further(`${name}.conf`, `LAST=${name}\n`);
    expect(read().get('LAST')).toBe(next);
  });

  test('a file whose name is not UTF-8', () => {
    write('');
    const named = further(Buffer.from([0x61, 0xe9, 0xff, ...Buffer.from('.conf')]), 'A=1\n');
    expect(read().get('A')).toBe('1');
    expect(read().origin('A')).toBe(named);
  });

  test('over a byte order mark at the beginning of a file, which the reference does not', () => {
    write('\uFEFFA=1\n');
    further('a.conf', '\uFEFF[n]\nB=2\n');
    expect([read().get('A'), read().get('B')]).toEqual(['1', '2']);
  });
});

describe('SPConfig and the environment', () => {
  const env = { SP_AUTH_TOKEN: 'e1', SP_API_HTTP_HOST: 'e2', SP_API_HTTP_PORT: 'e3', SP_OURID: 'e4' };
  const values = (config: SPConfig) => Object.keys(env).map((key) => config.get(key));
  beforeEach(() => write('SP_AUTH_TOKEN=f1\nSP_API_HTTP_HOST=f2\nSP_API_HTTP_PORT=f3\nSP_OURID=f4\n'));

  test('three settings of it win over files and sections, unless it is turned off', () => {
    further('a.conf', '[n]\nSP_AUTH_TOKEN=s\n');
    expect(values(read({ env }))).toEqual(['e1', 'e2', 'e3', 'f4']);
    expect(values(read({ env, useEnv: false }))).toEqual(['s', 'f2', 'f3', 'f4']);
  });

  test('it is that of the process by default', () => {
    for (const [key, value] of Object.entries(env)) vi.stubEnv(key, value);
    expect(values(new SPConfig({ file: file(), section: 'n' }))).toEqual(['e1', 'e2', 'e3', 'f4']);
    const without = new SPConfig({ file: file(), section: 'n', useEnv: false });
    expect(values(without)).toEqual(['f1', 'f2', 'f3', 'f4']);
  });

  test('an empty variable counts, one that is not set does not', () => {
    const config = read({ env: { SP_AUTH_TOKEN: '', SP_API_HTTP_HOST: undefined } });
    expect(values(config)).toEqual(['', 'f2', 'f3', 'f4']);
  });

  test('it is read once', () => {
    const changing: Record<string, string> = { SP_AUTH_TOKEN: 'before' };
    const config = read({ env: changing });
    changing['SP_AUTH_TOKEN'] = 'after';
    expect(config.get('SP_AUTH_TOKEN')).toBe('before');
  });
});

describe('SPConfig.sections()', () => {
  test('returns those of all files, sorted, each once', () => {
    write('A=1\n[n10]\n[n2]\n[b.example.com]\n');
    further('a.conf', '[n2]\n[a]\n[__proto__]\n[N1]\n');
    further('b.txt', '[not-this]\n');
    expect(SPConfig.sections({ file: file() })).toEqual([
      'N1',
      '__proto__',
      'a',
      'b.example.com',
      'n10',
      'n2',
    ]);
  });

  test('returns none without any', () => {
    expect(SPConfig.sections({ file: file(), missingOk: true })).toEqual([]);
    write('A=1\n');
    expect(SPConfig.sections({ file: file() })).toEqual([]);
  });

  test('throws what the constructor throws', () => {
    const sections = () => SPConfig.sections({ file: file() });
    expect(thrownBy(sections, SPConfigError)).toMatchObject({ file: file(), line: undefined });
    write('[\n');
    expect(thrownBy(sections, SPConfigError)).toMatchObject({ file: file(), line: 1 });
  });
});

test('SPConfigError can be made by others', () => {
  const cause = new Error('x');
  const error = new SPConfigError('message', { file: 'f', line: 3, cause });
  const expected = { name: 'SPConfigError', code: 'ECONFIG', message: 'message', file: 'f', line: 3, cause };
  expect(error).toMatchObject(expected);
  expect(new SPConfigError('message')).toMatchObject({ file: undefined, line: undefined });
});
