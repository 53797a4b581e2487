import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DEFAULTS } from '../../src/config/defaults.js';
import { SPConfig, SPConfigError, type SPConfigOptions } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';

let root: string;
let file: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spconfig-'));
  file = join(root, 'storpool.conf');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

const read = (options: SPConfigOptions = {}) => new SPConfig({ file, section: 'n', env: {}, ...options });
const further = (name: string, text: string) => {
  mkdirSync(`${file}.d`, { recursive: true });
  writeFileSync(join(`${file}.d`, name), text);
};

describe('what is asked of it', () => {
  const config = new SPConfig({ overrideConfig: { A: '1', EMPTY: '', SP_AUTH_TOKEN: 's3cr3t' } });

  test('get', () => {
    expect(config.get('A')).toBe('1');
    expect(config.get('EMPTY')).toBe('');
    expect(config.get('B')).toBeUndefined();
    expect(config.get('toString')).toBeUndefined();
    expect(config.get('__proto__')).toBeUndefined();
  });

  test('get with a fallback', () => {
    expect(config.get('A', 'x')).toBe('1');
    expect(config.get('EMPTY', 'x')).toBe('');
    expect(config.get('B', 'x')).toBe('x');
    expect(config.get('B', null)).toBeNull();
    expect(config.get('B', 0)).toBe(0);
  });

  test('require', () => {
    expect(config.require('A')).toBe('1');
    expect(config.require('EMPTY')).toBe('');
    const error = thrownBy(() => config.require('B'), SPConfigError);
    expect(error).toMatchObject({
      name: 'SPConfigError',
      code: 'ECONFIG',
      file: undefined,
      line: undefined,
      message: 'B is not set: add it to overrideConfig',
    });
  });

  test('require names the main file', () => {
    writeFileSync(file, '');
    expect(read().source).toBe(file);
    expect(() => read().require('SP_OURID')).toThrowError(`SP_OURID is not set: add it to ${file}`);
  });

  test('has, keys, entries, iteration, source', () => {
    expect(config.source).toBe('overrideConfig');
    expect(config.has('EMPTY')).toBe(true);
    expect(config.has('B')).toBe(false);
    expect(config.has('constructor')).toBe(false);
    expect([...config.keys()]).toEqual(['A', 'EMPTY', 'SP_AUTH_TOKEN']);
    const entries = [
      ['A', '1'],
      ['EMPTY', ''],
      ['SP_AUTH_TOKEN', 's3cr3t'],
    ];
    expect([...config.entries()]).toEqual(entries);
    expect([...config]).toEqual(entries);
    expect(new Map(config).get('SP_AUTH_TOKEN')).toBe('s3cr3t');
  });

  test('nothing shows the token', () => {
    expect(config.toJSON()).toEqual({ A: '1', EMPTY: '', SP_AUTH_TOKEN: '[hidden]' });
    expect(JSON.stringify(config)).toBe('{"A":"1","EMPTY":"","SP_AUTH_TOKEN":"[hidden]"}');
    expect(inspect(config)).toBe("SPConfig { A: '1', EMPTY: '', SP_AUTH_TOKEN: '[hidden]' }");
    expect(inspect(config, { showHidden: true, depth: null, customInspect: false })).not.toContain('s3cr3t');
    expect(Reflect.ownKeys(config)).toEqual([]);
  });

  test('origin', () => {
    expect(config.origin('A')).toBe('overrideConfig');
    expect(config.origin('B')).toBeUndefined();
    expect(config.origin('__proto__')).toBeUndefined();
    writeFileSync(file, 'A=1\nB=1\nSP_API_HTTP_HOST=a\n[n]\nC=1\n[other]\nD=1\n');
    further('more.conf', 'B=2\n');
    const found = read({ env: { SP_API_HTTP_HOST: 'b' } });
    expect(['A', 'C'].map((key) => found.origin(key))).toEqual([file, file]);
    expect(found.origin('B')).toBe(join(`${file}.d`, 'more.conf'));
    expect(found.origin('D')).toBeUndefined();
    expect(found.origin('SP_API_HTTP_HOST')).toBe('environment');
    expect(found.origin('SP_API_HTTP_PORT')).toBe('default');
  });
});

test.each([null, 'node-1', 5])('%j is no object of options', (options) => {
  const error = thrownBy(() => new SPConfig(options as unknown as SPConfigOptions), SPConfigError);
  expect(error.message).toBe('the options of SPConfig are an object, for example { section }');
});

test('SPConfig refuses an option that it does not have', () => {
  const message =
    'SPConfig has no option "filename": it has section, missingOk, useEnv, env, file, dir, overrideConfig';
  const misspelled = { filename: file } as SPConfigOptions;
  expect(thrownBy(() => new SPConfig(misspelled), SPConfigError).message).toBe(message);
  expect(thrownBy(() => SPConfig.sections(misspelled), SPConfigError).message).toBe(message);
});

describe('files', () => {
  test('the defaults, then the files', () => {
    writeFileSync(file, 'SP_CACHE_SIZE=1\nA=2\n');
    expect(Object.fromEntries(read())).toEqual({ ...DEFAULTS, SP_CACHE_SIZE: '1', A: '2' });
    expect(DEFAULTS['SP_CACHE_SIZE']).toBe('4096');
  });

  test('a section is chosen by its whole name', () => {
    writeFileSync(file, 'A=0\n[n]\nA=1\n[n.b]\nA=2\n[N]\nA=3\n[__proto__]\nA=4\n[a[]\nA=5\n');
    const value = (section: string) => read({ section }).get('A');
    expect(['n', 'n.b', 'N', '__proto__', 'a[', 'constructor', ''].map(value)).toEqual([
      '1',
      '2',
      '3',
      '4',
      '5',
      '0',
      '0',
    ]);
  });

  test('without a section it is that of this host', () => {
    writeFileSync(file, `A=0\n[${hostname()}]\nA=1\n`);
    expect(new SPConfig({ file, env: {} }).get('A')).toBe('1');
  });

  test('the folder of further files is beside the main one, or where it is said to be', () => {
    writeFileSync(file, 'A=0\n');
    further('a.conf', 'A=1\n');
    const dir = join(root, 'other');
    mkdirSync(dir);
    writeFileSync(join(dir, 'b.conf'), 'A=2\n');
    expect(read().get('A')).toBe('1');
    expect(read({ dir }).get('A')).toBe('2');
    expect(read({ dir: join(root, 'missing') }).get('A')).toBe('0');
  });

  test('further files are read even where the main one is missing', () => {
    further('a.conf', 'A=1\n[n]\nB=2\n');
    const config = read({ missingOk: true });
    expect([config.get('A'), config.get('B')]).toEqual(['1', '2']);
  });

  test('a byte order mark is no part of the first name', () => {
    writeFileSync(file, '\uFEFFA=1\n');
    further('a.conf', '\uFEFF[n]\nB=2\n');
    const config = read();
    expect([config.get('A'), config.get('B')]).toEqual(['1', '2']);
  });

  test('each file starts outside of any section', () => {
    writeFileSync(file, 'A=0\n[m]\n');
    further('a.conf', 'A=1\n');
    expect(read().get('A')).toBe('1');
  });
});

describe('files that cannot be read', () => {
  const failing = (options: SPConfigOptions = {}) => thrownBy(() => read(options), SPConfigError);

  test('the main file is missing', () => {
    const error = failing();
    expect(error).toMatchObject({
      code: 'ECONFIG',
      file,
      line: undefined,
      message: `${file} does not exist: create it, or allow it to be missing with missingOk`,
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
    expect(failing({ missingOk: false }).file).toBe(file);
    expect(Object.fromEntries(read({ missingOk: true }))).toEqual(DEFAULTS);
  });

  test.each([false, true])('a folder is in its place, missingOk %s', (missingOk) => {
    mkdirSync(file);
    const error = failing({ missingOk });
    expect(error).toMatchObject({
      code: 'ECONFIG',
      file,
      cause: expect.objectContaining({ code: 'EISDIR' }),
    });
    expect(error.message).toMatch(new RegExp(`^Cannot read ${file}: EISDIR`, 'u'));
  });

  test.each([false, true])('a pipe is in its place, missingOk %s', (missingOk) => {
    execFileSync('mkfifo', [file]);
    const error = failing({ missingOk });
    expect(error.message).toBe(`Cannot read ${file}: it is a named pipe; put a regular file in its place`);
  });

  test('a link that leads nowhere is in its place', () => {
    symlinkSync(join(root, 'nowhere'), file);
    expect(failing().message).toBe(`${file} does not exist: is it a broken link?`);
  });

  test('a folder among the further files is passed over with missingOk', () => {
    further('b.conf', 'A=1\n');
    mkdirSync(join(`${file}.d`, 'a.conf'));
    expect(read({ missingOk: true }).get('A')).toBe('1');
    expect(SPConfig.sections({ file, missingOk: true })).toEqual([]);
  });

  test('a folder among the further files', () => {
    writeFileSync(file, '');
    mkdirSync(join(`${file}.d`, 'a.conf'), { recursive: true });
    const error = failing();
    expect(error).toMatchObject({ file: join(`${file}.d`, 'a.conf') });
    expect(error.message).toMatch(/^Cannot read .*a\.conf: EISDIR/u);
  });

  test('a link among them that leads nowhere, even where the main file may be missing', () => {
    further('a.conf', '');
    symlinkSync(join(root, 'nowhere'), join(`${file}.d`, 'b.conf'));
    const error = failing({ missingOk: true });
    expect(error.file).toBe(join(`${file}.d`, 'b.conf'));
    expect(error.message).toContain(`${join(`${file}.d`, 'b.conf')} does not exist`);
    // That option was given already, and is not about this file.
    expect(error.message).not.toContain('missingOk');
  });

  test('a file is in the place of the folder', () => {
    writeFileSync(file, '');
    writeFileSync(`${file}.d`, '');
    const error = failing();
    expect(error).toMatchObject({
      code: 'ECONFIG',
      file: `${file}.d`,
      cause: expect.objectContaining({ code: 'ENOTDIR' }),
    });
    expect(error.message).toMatch(new RegExp(`^Cannot list ${file}\\.d: ENOTDIR`, 'u'));
  });

  test('it is not UTF-8', () => {
    writeFileSync(file, Buffer.from('SP_AUTH_TOKEN=s3cr3t\u00e9\n', 'latin1'));
    const error = failing();
    expect(error).toMatchObject({
      code: 'ECONFIG',
      file,
      line: undefined,
      message: `${file} is not valid UTF-8: save it in that encoding`,
    });
    expect(inspect(error)).not.toContain('s3cr3t');
  });

  test('UTF-16 is not UTF-8', () => {
    writeFileSync(file, Buffer.from('\uFEFFA=1\n', 'utf16le'));
    expect(failing().message).toBe(`${file} is not valid UTF-8: save it in that encoding`);
  });

  test('a line of a further file is wrong: file and line are named, its text is not', () => {
    writeFileSync(file, 'A=1\n');
    further('20.conf', '# one\n[other-host]\ns3cr3t s3cr3t\n');
    further('30.conf', 'also wrong\n');
    const error = failing();
    const name = join(`${file}.d`, '20.conf');
    expect(error).toMatchObject({ code: 'ECONFIG', file: name, line: 3 });
    expect(error.message).toContain(`${name}, line 3: `);
    expect(inspect(error)).not.toContain('s3cr3t');
  });
});

describe('the environment', () => {
  const env = { SP_AUTH_TOKEN: 'e1', SP_API_HTTP_HOST: 'e2', SP_API_HTTP_PORT: 'e3', SP_OURID: 'e4' };
  const values = (config: SPConfig) => Object.keys(env).map((key) => config.get(key));
  beforeEach(() =>
    writeFileSync(file, 'SP_AUTH_TOKEN=f1\nSP_API_HTTP_HOST=f2\nSP_API_HTTP_PORT=f3\nSP_OURID=f4\n'),
  );

  test('beats the files with three settings, and no other', () => {
    expect(values(read({ env }))).toEqual(['e1', 'e2', 'e3', 'f4']);
  });

  test('beats a section too', () => {
    further('a.conf', '[n]\nSP_AUTH_TOKEN=s\n');
    expect(read({ env }).get('SP_AUTH_TOKEN')).toBe('e1');
  });

  test('can be turned off', () => {
    expect(values(read({ env, useEnv: false }))).toEqual(['f1', 'f2', 'f3', 'f4']);
  });

  test('is that of the process by default', () => {
    for (const [key, value] of Object.entries(env)) vi.stubEnv(key, value);
    expect(values(new SPConfig({ file, section: 'n' }))).toEqual(['e1', 'e2', 'e3', 'f4']);
    expect(values(new SPConfig({ file, section: 'n', useEnv: false }))).toEqual(['f1', 'f2', 'f3', 'f4']);
  });

  test('an empty variable counts, one that is not set does not', () => {
    const config = read({ env: { SP_AUTH_TOKEN: '', SP_API_HTTP_HOST: undefined } });
    expect(values(config)).toEqual(['', 'f2', 'f3', 'f4']);
  });

  test('is read once', () => {
    const changing: Record<string, string> = { SP_AUTH_TOKEN: 'before' };
    const config = read({ env: changing });
    changing['SP_AUTH_TOKEN'] = 'after';
    expect(config.get('SP_AUTH_TOKEN')).toBe('before');
  });
});

describe('sections()', () => {
  test('those of all files, sorted, each once', () => {
    writeFileSync(file, 'A=1\n[n10]\n[n2]\n[b.example.com]\n');
    further('a.conf', '[n2]\n[a]\n[__proto__]\n[N1]\n');
    further('b.txt', '[not-this]\n');
    expect(SPConfig.sections({ file })).toEqual(['N1', '__proto__', 'a', 'b.example.com', 'n10', 'n2']);
  });

  test('there may be none', () => {
    writeFileSync(file, 'A=1\n');
    expect(SPConfig.sections({ file })).toEqual([]);
    expect(SPConfig.sections({ file: join(root, 'missing'), missingOk: true })).toEqual([]);
  });

  test('bad files are errors as elsewhere', () => {
    const missing = join(root, 'missing');
    expect(thrownBy(() => SPConfig.sections({ file: missing }), SPConfigError).file).toBe(missing);
    writeFileSync(file, '[\n');
    expect(thrownBy(() => SPConfig.sections({ file }), SPConfigError)).toMatchObject({ file, line: 1 });
  });
});

test('the error as others may make it', () => {
  const cause = new Error('x');
  const error = new SPConfigError('text', { file: 'f', line: 3, cause });
  expect(error).toMatchObject({
    name: 'SPConfigError',
    code: 'ECONFIG',
    message: 'text',
    file: 'f',
    line: 3,
  });
  expect(error.cause).toBe(cause);
  expect(new SPConfigError('text')).toMatchObject({ file: undefined, line: undefined });
});
