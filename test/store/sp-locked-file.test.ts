import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { SPLockedFile, SPLockedFileError } from '../../src/index.js';
import { fname, onDisk, useLockedFile } from './quiet-db.js';

const path = useLockedFile('{"a":1}');
let file: SPLockedFile;
beforeEach(() => {
  file = new SPLockedFile(fname);
});

describe('content', () => {
  test('what was dumped is loaded', async () => {
    expect(await file.jsload()).toEqual({ a: 1 });
    await file.jsdump({ b: [1, 'two', null] });
    expect(await file.jsload()).toEqual({ b: [1, 'two', null] });
    expect(JSON.parse(onDisk())).toEqual({ b: [1, 'two', null] });
  });

  test('the inode, the mode and everything beside the file stay; only the journal comes', async () => {
    const before = statSync(fname);
    await file.jsdump({ b: 2 });
    const after = statSync(fname);
    expect([after.ino, after.mode]).toEqual([before.ino, before.mode]);
    expect(readdirSync(path()).sort()).toEqual(['db.json', 'db.json.backup']);
  });

  test('a loaded value is a copy', async () => {
    const value = (await file.jsload()) as { a: number };
    value.a = 2;
    expect(await file.jsload()).toEqual({ a: 1 });
  });

  test('the file is ASCII, whatever the locale of those who read it', async () => {
    await file.jsdump({ том: 'ö\u{1f5b4}' });
    expect(onDisk()).toMatch(/^[\x20-\x7e]+$/u);
    expect(await file.jsload()).toEqual({ том: 'ö\u{1f5b4}' });
  });

  test.each([[undefined], [() => 1], [Symbol('s')]])('jsdump(%s) is refused', async (value) => {
    await expect(file.jsdump(value)).rejects.toThrow(TypeError);
    expect(onDisk()).toBe('{"a":1}');
  });

  test('jsdump() of what is there already writes nothing', async () => {
    const before = statSync(fname, { bigint: true });
    await file.jsdump({ a: 1 });
    const after = statSync(fname, { bigint: true });
    expect(after.mtimeNs).toBe(before.mtimeNs);
    expect(readdirSync(path())).toEqual(['db.json']);
  });
});

describe('changed()', () => {
  test('is true before the first look, false after it, true when somebody wrote', async () => {
    expect(await file.changed()).toBe(true);
    await file.jsload();
    expect(await file.changed()).toBe(false);
    writeFileSync(fname, '{"a":2}');
    expect(await file.changed()).toBe(true);
    await file.jsload();
    await file.jsdump({ a: 3 });
    expect(await file.changed()).toBe(false);
  });

  test('sees a write of the same size within the same clock tick', async () => {
    await file.jsload();
    const { atime, mtime } = statSync(fname);
    const { utimesSync } = await import('node:fs');
    writeFileSync(fname, '{"a":9}');
    utimesSync(fname, atime, mtime);
    expect(await file.changed()).toBe(true);
    expect(await file.jsload()).toEqual({ a: 9 });
  });
});

describe('bad input', () => {
  test('a file that is not there', async () => {
    const missing = new SPLockedFile(path('missing.json'));
    await expect(missing.jsload()).rejects.toMatchObject({
      name: 'SPLockedFileError',
      code: 'ENOENT',
      message: expect.stringMatching(/missing\.json.*Create it with the content \{\}/),
    });
    expect(readdirSync(path())).toEqual(['db.json']);
  });

  test('a pipe in place of the file', async () => {
    execFileSync('mkfifo', [path('pipe')]);
    await expect(new SPLockedFile(path('pipe')).jsload()).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/is no regular file: move it away/u),
    });
  });

  test('a directory in place of the file', async () => {
    await expect(new SPLockedFile(path()).jsload()).rejects.toMatchObject({
      code: 'EISDIR',
      message: expect.stringMatching(/\. Move it away, and put the file in its place$/u),
    });
  });

  test('a link that leads nowhere in place of the file', async () => {
    symlinkSync(path('nowhere'), path('link'));
    await expect(new SPLockedFile(path('link')).jsload()).rejects.toMatchObject({
      code: 'ENOENT',
      message: expect.stringMatching(/It is a link that leads nowhere: correct it/u),
    });
  });

  test.each([
    ['an empty file', '', 'is empty, at line 1, column 1'],
    ['a cut file', '{"a":{"volume":"os--vol', 'ends before its JSON does, at line 1, column 24'],
    ['cut numbers', '{"a":-', 'ends before its JSON does, at line 1, column 7'],
    ['cut words', '{"a":tru', 'ends before its JSON does, at line 1, column 9'],
    ['cut escapes', String.raw`{"a":"\u12`, 'ends before its JSON does, at line 1, column 11'],
    [
      'bytes that are not UTF-8',
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      'is not UTF-8 at line 1, column 3',
    ],
    ['nonsense', 'hello', 'is not valid JSON at line 1, column 1'],
    ['NaN of a Python service', '{\n "a": NaN}', 'is not valid JSON at line 2, column 7'],
    ['the comma of an operator', '{"a":1,}', 'is not valid JSON at line 1, column 8'],
    ['something behind it', '{"a":1}\n{', 'is not valid JSON at line 2, column 1'],
    ['a new line in a string', '{"a":"b\n"}', 'is not valid JSON at line 1, column 8'],
    ['a byte order mark', '\ufeff{}', 'is not valid JSON at line 1, column 1'],
    ['UTF-16', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'is not UTF-8 at line 1, column 1'],
  ])('%s without a journal is left as it is', async (_what, content, problem) => {
    writeFileSync(fname, content);
    const attempt = file.jsload();
    await expect(attempt).rejects.toThrow(SPLockedFileError);
    await expect(attempt).rejects.toMatchObject({
      code: 'ECORRUPT',
      message: expect.stringContaining(
        `${fname} ${problem}; nothing was changed. There is no ${fname}.backup`,
      ),
    });
    expect(readFileSync(fname)).toEqual(Buffer.from(content));
    expect(readdirSync(path())).toEqual(['db.json']);
  });

  test.each([
    [{ timeout: -1 }, 'lock.timeout is -1'],
    [{ timeout: Number.NaN }, 'lock.timeout is NaN'],
    [{ stale: 9999 }, 'lock.stale is 9999'],
    [{ kernelLock: 'yes' as 'auto' }, 'lock.kernelLock is yes'],
  ])('lock options %j', (lock, message) => {
    expect(() => new SPLockedFile(fname, lock)).toThrowError(
      expect.objectContaining({ code: 'EINVAL', message: expect.stringContaining(message) }),
    );
  });
});

test('jsload() of a file that is too large for a cache does not read it', async () => {
  truncateSync(fname, 2 ** 27);
  await expect(file.jsload()).rejects.toMatchObject({
    code: 'EFBIG',
    message: expect.stringContaining(fname),
  });
});

test('without a logger, what an operator should know is a process warning', async () => {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  writeFileSync(`${fname}.backup`, '{"kept":true}\t');
  writeFileSync(fname, '{"kept"');
  expect(await file.jsload()).toEqual({ kept: true });
  expect(emitWarning).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/A write of .*db\.json was interrupted/),
    'SPLockedFileWarning',
  );
});
