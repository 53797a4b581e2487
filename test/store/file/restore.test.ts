// A torn file is restored from the copy beside it; a copy that may be old makes everybody careful.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  copy,
  db,
  fname,
  interruptedWrite,
  mend,
  NotedDB,
  tamper,
  useRestorableFile,
  writeAsPython,
} from './restorable-file.js';
import { systemError } from './tampered-disk.js';

const path = useRestorableFile();

describe('a write of ours that was interrupted', () => {
  test.each(['', '{"a":', '{"a":1,"b":2', '{"a":1\0\0\0', '\0\0\0\0'])(
    'after %j is completed from the copy, and that is the truth',
    async (written) => {
      interruptedWrite('{"a":1,"b":2}', written);
      expect(await db.get()).toEqual({ a: 1, b: 2 });
      expect(db.warnings).toEqual([expect.stringMatching(/was torn .*This is what was being written/)]);
      expect(await db.note()).toBeUndefined();
      expect(copy()).toBe('{"a":1,"b":2}\n');
    },
  );
});

test('a write of ours is still ours when its restore is interrupted, too', async () => {
  interruptedWrite('{"a":1,"b":2}', '{"a"');
  tamper(({ name, path: where }) => {
    if (name === 'file.truncate' && where === fname) throw systemError('EIO');
    return undefined;
  });
  await expect(db.get()).rejects.toMatchObject({ code: 'EIO' });
  mend();
  expect(await db.get()).toEqual({ a: 1, b: 2 });
  expect(await db.note()).toBeUndefined();
});

describe('a write of another program that was interrupted', () => {
  beforeEach(async () => {
    await db.add('a', 1);
    await db.add('b', 2);
  });

  test('is restored from a copy that may be old: a note says when and from what, and each call warns', async () => {
    writeFileSync(fname, '');
    expect(await db.get()).toEqual({ a: 1, b: 2 });
    const note = readFileSync(path('db.json.restored'), 'utf8');
    expect(note).toMatch(
      new RegExp(
        `^\\d{4}-\\S+ by process ${process.pid} on .*db\\.json was torn.*db\\.json\\.backup of \\d{4}-`,
        'u',
      ),
    );
    expect(await db.note()).toBe(note);
    await db.add('c', 3);
    const warned = expect.stringMatching(/may lack recent changes.*then remove .*db\.json\.restored/);
    expect(db.warnings).toEqual([expect.stringContaining('may be lost'), warned, warned, warned]);
  });

  test('keeps the whole entries that it has written, which are newer', async () => {
    writeFileSync(fname, '{"a": 10, "new": {"volume": "os--1"}, "b');
    expect(await db.get()).toEqual({ a: 10, b: 2, new: { volume: 'os--1' } });
    expect(JSON.parse(copy())).toEqual(await db.get());
  });

  test('is not taken for ours because one of ours was killed before it touched the file', async () => {
    writeFileSync(path('db.json.backup'), '{"a":1,"b":2,"c":3} ');
    writeAsPython({ a: 1, b: 2, d: 4 });
    writeFileSync(fname, '');
    expect(await db.get()).toEqual({ a: 1, b: 2, c: 3 });
    expect(await db.note()).toMatch(/was torn/);
  });

  test('keeps its entries also when the restore is interrupted', async () => {
    writeFileSync(fname, '{"a": 10, "new": {"volume": "os--1"}, "b');
    let isBroken = false;
    tamper(({ name, path: where }) => {
      isBroken ||= name === 'file.write' && where === fname;
      if (isBroken) throw systemError('EIO');
      return undefined;
    });
    await expect(db.get()).rejects.toMatchObject({ code: 'EIO' });
    mend();
    expect(readFileSync(fname, 'utf8')).toBe('');
    expect(await db.get()).toEqual({ a: 10, b: 2, new: { volume: 'os--1' } });
    expect(readdirSync(path()).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test('is not taken for ours because a copy is being written', async () => {
    interruptedWrite('{"a":1,"b":2}', '{"a": 1, "c": 3, "');
    expect(await db.get()).toEqual({ a: 1, b: 2, c: 3 });
    expect(await db.note()).toMatch(/was torn/);
  });

  test('loses nothing where a read of ours came between', async () => {
    writeAsPython({ a: 1, b: 2, c: 3 });
    await db.get();
    writeFileSync(fname, '');
    expect(await db.get()).toEqual({ a: 1, b: 2, c: 3 });
  });

  test('is not restored where the note cannot be written', async () => {
    writeFileSync(fname, '');
    tamper(({ name, path: where }) => {
      if (name === 'open' && where.endsWith('.restored')) throw systemError('EACCES');
      return undefined;
    });
    await expect(db.get()).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(
        /its copy may be old, but .*db\.json\.restored, which would say so, cannot be written/,
      ),
    });
    expect(readFileSync(fname, 'utf8')).toBe('');
  });

  test('is not restored over what somebody without the kernel lock has written by then', async () => {
    writeFileSync(fname, '');
    let timer: NodeJS.Timeout | undefined;
    tamper(({ name, path: where }) => {
      if (name === 'file.datasync' && where.endsWith('.restored')) {
        // As a plain user of proper-lockfile, who found the lock directory stale.
        rmdirSync(`${fname}.lock`);
        // It would get the same inode within the same tick of the clock, which no program does after the stale time.
        mkdirSync(path('between'));
        mkdirSync(`${fname}.lock`);
        writeFileSync(fname, '{"theirs": 1}');
        timer = setTimeout(() => rmdirSync(`${fname}.lock`), 100);
      }
      return undefined;
    });
    await expect(db.get()).rejects.toMatchObject({
      code: 'ECOMPROMISED',
      message: expect.stringContaining('Nothing was written'),
    });
    clearTimeout(timer);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs": 1}');
  });

  test('that is still under way is waited for', async () => {
    writeFileSync(fname, '');
    setTimeout(() => writeFileSync(fname, '{"theirs": 1}'), 10);
    expect(await db.get()).toEqual({ theirs: 1 });
    expect(db.warnings).toEqual([]);
  });
});

describe('without the kernel lock', () => {
  test('nothing is restored: a write under way would be overwritten', async () => {
    interruptedWrite('{"a":1}', '');
    await expect(new NotedDB(fname, { kernelLock: 'off' }).get()).rejects.toMatchObject({
      code: 'ECORRUPT',
      message: expect.stringContaining('without the kernel lock'),
    });
    expect(readFileSync(fname, 'utf8')).toBe('');
  });
});

test('a note that is a dangling link or endless is a note all the same, and holds nobody up', async () => {
  symlinkSync(path('nowhere'), path('db.json.restored'));
  expect(await db.note()).toMatch(/ELOOP/u);
  rmSync(path('db.json.restored'));
  writeFileSync(path('db.json.restored'), '');
  truncateSync(path('db.json.restored'), 2 ** 31);
  expect(await db.note()).toBe('');
});

test('torn contents are numbered, never overwritten, and the last ten are kept', async () => {
  await db.add('a', 1);
  for (let nr = 1; nr <= 12; nr++) {
    writeFileSync(fname, `{"torn${nr}":1,`);
    await db.get();
  }
  const kept = readdirSync(path()).filter((name) => name.includes('.torn.'));
  expect(kept.sort()).toEqual(Array.from({ length: 10 }, (_, at) => `db.json.torn.${at + 3}`).sort());
  expect(readFileSync(path('db.json.torn.12'), 'utf8')).toBe('{"torn12":1,');
});

test.each(['{"a": NaN}', '{"a":1,}', '{"a" 1}'])('%s is no torn file: it stays as it is', async (content) => {
  await db.add('a', 1);
  writeFileSync(fname, content);
  await expect(db.get()).rejects.toMatchObject({
    code: 'ECORRUPT',
    message: expect.stringMatching(/line 1, column/),
  });
  await expect(db.add('b', 1)).rejects.toMatchObject({ code: 'ECORRUPT' });
  expect(readFileSync(fname, 'utf8')).toBe(content);
  expect(copy()).toBe('{"a":1}\n');
});

test('jsdump() over what is not whole leaves the copy until the file is', async () => {
  interruptedWrite('{"a":1}', '{"a');
  const seen: string[] = [];
  tamper(({ name, path: where }) => {
    if (name === 'file.truncate') seen.push(where);
    return undefined;
  });
  await db.jsdump({ b: 2 });
  expect(seen).toEqual([fname, path('db.json.backup')]);
  expect(copy()).toBe('{"b":2}\n');
});

test('who was stopped while writing says that something may be overwritten', async () => {
  await db.add('a', 1);
  const directory = `${fname}.lock`;
  let isTaken = false;
  tamper(({ name, path: where }) => {
    if (name === 'file.datasync' && where === fname && !isTaken) {
      isTaken = true;
      // As after an hour in which this process did not run, and could not refresh its directory.
      const past = new Date(Date.now() - 3_600_000);
      utimesSync(directory, past, past);
    }
    return undefined;
  });
  await expect(db.add('b', 2)).rejects.toMatchObject({
    code: 'ECOMPROMISED',
    message: expect.stringMatching(/The new content is in the file, and may have overwritten/),
  });
  expect(isTaken).toBe(true);
  mend();
  expect(existsSync(directory)).toBe(false);
  expect(await db.get()).toEqual({ a: 1, b: 2 });
});

describe('a broken file', () => {
  test.each([
    [
      'too large to be looked through',
      Buffer.alloc(17_000_000, '[', 'latin1'),
      /too large \(17000000 bytes\)/,
    ],
    [
      'with a million escapes in a string',
      Buffer.from(`{"a":"${'\\u12af'.repeat(1_000_000)}`),
      /is not valid JSON/,
    ],
    [
      'that begins with many NUL bytes',
      Buffer.concat([Buffer.alloc(1_000_000), Buffer.from('x')]),
      /column 1/,
    ],
  ])('%s is ECORRUPT, soon', async (_what, content, message) => {
    writeFileSync(fname, content);
    const start = performance.now();
    await expect(db.get()).rejects.toMatchObject({
      code: 'ECORRUPT',
      message: expect.stringMatching(message),
    });
    expect(performance.now() - start).toBeLessThan(20_000);
    expect(readFileSync(fname).equals(content)).toBe(true);
  });
});
