import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';
import { useConf } from './conf.js';

const { file, dir, write, further, read } = useConf();
const NOT_UTF_8 = Buffer.from('SP_AUTH_TOKEN=s3cr3t\u00e9\n', 'latin1');

/** What may stand where a file should: how it is made, and what the error says about it. */
const NO_FILES: [string, (path: string) => void, RegExp][] = [
  ['a directory', (path) => mkdirSync(path), /^Cannot read \S+: EISDIR.*; put a regular file in its place$/u],
  ['a FIFO', (path) => execFileSync('mkfifo', [path]), /: it is a named pipe; put a regular file in its/u],
  [
    'a link to nowhere',
    (path) => symlinkSync('nowhere', path),
    /^\S+ does not exist: is it a broken link\?$/u,
  ],
  ['a loop of links', (path) => symlinkSync(path, path), /^Cannot read \S+: ELOOP/u],
  ['a link to below a file', (path) => symlinkSync('/dev/null/x', path), /^Cannot read \S+: ENOTDIR/u],
];

describe('SPConfig with missingOk passes over', () => {
  test.each(NO_FILES)('%s among the further files', (_, make) => {
    further('good.conf', 'A=1\n');
    make(`${dir()}/a.conf`);
    expect(read({ missingOk: true }).get('A')).toBe('1');
    expect(SPConfig.sections({ file: file(), missingOk: true })).toEqual([]);
  });

  test.each(NO_FILES)('%s in the place of the main file', (_, make) => {
    further('good.conf', 'A=1\n');
    make(file());
    expect(read({ missingOk: true }).get('A')).toBe('1');
  });

  test('a main file below a file', () => {
    write('');
    expect(read({ file: `${file()}/x`, missingOk: true }).has('SP_API_HTTP_PORT')).toBe(true);
  });
});

describe('SPConfig without missingOk throws an error that names', () => {
  test.each(NO_FILES)('%s among the further files', (_, make, message) => {
    write('');
    further('good.conf', 'A=1\n');
    const bad = `${dir()}/a.conf`;
    make(bad);
    const error = thrownBy(() => read(), SPConfigError);
    expect(error).toMatchObject({ code: 'ECONFIG', file: bad, line: undefined, cause: expect.any(Error) });
    expect(error.message).toMatch(message);
    expect(error.message).toContain(bad);
  });

  test.each(NO_FILES)('%s in the place of the main file', (_, make, message) => {
    further('good.conf', 'A=1\n');
    make(file());
    const error = thrownBy(() => read(), SPConfigError);
    expect(error.file).toBe(file());
    expect(error.message).toMatch(message);
  });

  test('a main file below a file', () => {
    write('');
    const error = thrownBy(() => read({ file: `${file()}/x` }), SPConfigError);
    expect(error.message).toMatch(/^Cannot read .*storpool\.conf\/x: ENOTDIR/u);
  });

  test('a main file that is missing', () => {
    expect(thrownBy(() => read(), SPConfigError)).toMatchObject({
      code: 'ECONFIG',
      file: file(),
      message: `${file()} does not exist: create it, or name another`,
      cause: expect.objectContaining({ code: 'ENOENT' }),
    });
  });
});

describe('SPConfig ignores, in the place of the directory,', () => {
  const NO_DIRECTORIES: typeof NO_FILES = [
    ...NO_FILES.slice(1),
    ['a file', (path) => writeFileSync(path, 'A=1\n'), /-/u],
  ];
  test.each(NO_DIRECTORIES)('%s', (_, make) => {
    write('A=0\n');
    make(dir());
    expect(read().get('A')).toBe('0');
  });
});

describe('SPConfig refuses, with or without missingOk,', () => {
  test.each([
    ['Latin-1', NOT_UTF_8],
    ['UTF-16', Buffer.from('\uFEFFA=1\n', 'utf16le')],
  ])('a file in %s', (_, content) => {
    write(content);
    for (const missingOk of [false, true]) {
      const error = thrownBy(() => read({ missingOk }), SPConfigError);
      expect(error).toMatchObject({ code: 'ECONFIG', file: file(), line: undefined });
      expect(error.message).toBe(`${file()} is not valid UTF-8: save it in that encoding`);
      expect(inspect(error)).not.toContain('s3cr3t');
    }
  });

  test('a wrong line, naming the first file that has one', () => {
    write('A=1\n');
    const bad = further('20.conf', '# one\n[other-host]\ns3cr3t s3cr3t\n');
    further('30.conf', 'also wrong\n');
    for (const missingOk of [false, true]) {
      const error = thrownBy(() => read({ missingOk }), SPConfigError);
      expect(error).toMatchObject({ code: 'ECONFIG', file: bad, line: 3 });
      expect(error.message).toContain(`${bad}, line 3: `);
      expect(inspect(error)).not.toContain('s3cr3t');
    }
  });
});
