// A torn file is restored from the copy beside it; a copy that may be old makes everybody careful.
import {
  chmodSync,
  chownSync,
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
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SPLockedJSONDB } from '../../../src/index.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { systemError, tamperWithDisk } from './tampered-disk.js';

class WarningDB extends SPLockedJSONDB {
  warnings: string[] = [];
  protected override warn(message: string): void {
    this.warnings.push(message);
  }
  note(): Promise<string | undefined> {
    return this.withLock(async () => {
      await this.loadShared();
      return this.restoredNote;
    });
  }
}

const path = useTempDir();
let fname: string;
let db: WarningDB;
let mend: () => void = () => undefined;
beforeEach(() => {
  fname = path('db.json');
  writeFileSync(fname, '{}');
  db = new WarningDB(fname);
});
afterEach(() => {
  mend();
  vi.restoreAllMocks();
});

const copy = () => readFileSync(path('db.json.backup'), 'utf8');
/** What a write of this library leaves that is killed when it has written so much of the file. */
function interruptedWrite(content: string, written: string): void {
  writeFileSync(path('db.json.backup'), `${content}\t`);
  writeFileSync(fname, written);
  // However busy the machine is.
  for (const file of [fname, path('db.json.backup')]) utimesSync(file, 1e9, 1e9);
}
/** As Python writes, without a flush and without a copy. */
const writeAsPython = (content: object) => writeFileSync(fname, JSON.stringify(content, undefined, 1));

describe('the copy', () => {
  test('is pending until the file is touched, then being written, and complete after that', async () => {
    const seen: string[] = [];
    mend = tamperWithDisk(({ name, path: where }) => {
      const isFlush = name === 'file.datasync' && where.endsWith('.backup');
      if (isFlush || (name === 'file.truncate' && where === fname)) seen.push(copy());
      return undefined;
    });
    await db.add('a', 1);
    expect(seen).toEqual(['{"a":1} ', '{"a":1}\t']);
    expect(copy()).toBe('{"a":1}\n');
  });

  test('costs a change two flushes', async () => {
    await db.add('a', 1);
    const flushed: string[] = [];
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name.endsWith('sync')) flushed.push(where);
      return undefined;
    });
    await db.add('b', 2);
    await new WarningDB(fname).add('c', 3);
    expect(flushed).toEqual([path('db.json.backup'), fname, path('db.json.backup'), fname]);
  });

  test('is renewed by whoever reads what another program wrote, after that is on the disk', async () => {
    await db.add('a', 1);
    writeAsPython({ b: 2 });
    const flushed: string[] = [];
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.datasync') flushed.push(where);
      return undefined;
    });
    await db.get();
    expect(flushed).toEqual([fname, path('db.json.backup')]);
    expect(JSON.parse(copy())).toEqual({ b: 2 });
    await db.get();
    expect(flushed).toHaveLength(2);
  });

  test('that was left pending is complete as soon as the file is read', async () => {
    interruptedWrite('{"a":1}', '{"a":1}');
    await db.get();
    expect(copy()).toBe('{"a":1}\n');
  });

  test('that cannot be renewed fails no reader', async () => {
    await db.add('a', 1);
    writeAsPython({ b: 2 });
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.write' && where.endsWith('.backup')) throw systemError('ENOSPC');
      return undefined;
    });
    expect(await db.get()).toEqual({ b: 2 });
    expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*db\.json\.backup: ENOSPC/)]);
  });

  test('that this user may not write is removed, and made anew', async () => {
    await db.add('a', 1);
    let isFirst = true;
    mend = tamperWithDisk(({ name, path: where, args }) => {
      const isOpening = name === 'open' && where.endsWith('.backup') && args[2] === undefined;
      if (isOpening && existsSync(where) && isFirst) {
        isFirst = false;
        throw systemError('EACCES');
      }
      return undefined;
    });
    await db.add('b', 2);
    expect(copy()).toBe('{"a":1,"b":2}\n');
    expect(db.warnings).toEqual([]);
  });

  test('holds nothing that was refused, when its flush fails', async () => {
    await db.add('a', 1);
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.datasync' && where.endsWith('.backup')) throw systemError('EIO');
      return undefined;
    });
    await expect(db.add('b', 2)).rejects.toThrow('it still has the old content');
    mend();
    expect(copy().trim()).toBe('{"a":1}');
  });
});

test.each([
  ['with the kernel lock', 'auto'],
  ['without it', 'off'],
] as const)(
  'a copy holds nothing that was refused, when the lock is lost before the file is written, %s',
  async (_how, kernelLock) => {
    let timer: NodeJS.Timeout | undefined;
    await db.add('a', 1);
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.datasync' && where.endsWith('.backup')) {
        // As a plain user of proper-lockfile, who found the lock directory stale and changes the file.
        rmdirSync(`${fname}.lock`);
        // It would get the same inode within the same tick of the clock, which no program does after the stale time.
        mkdirSync(path('between'));
        mkdirSync(`${fname}.lock`);
        writeFileSync(fname, '{"theirs": 1}');
        timer = setTimeout(() => rmdirSync(`${fname}.lock`), 100);
      }
      return undefined;
    });
    await expect(new WarningDB(fname, { kernelLock }).add('b', 2)).rejects.toMatchObject({
      code: 'ECOMPROMISED',
    });
    clearTimeout(timer);
    mend();
    rmSync(`${fname}.lock`, { recursive: true, force: true });
    writeFileSync(fname, '');
    const found = await db.get().catch((error: Error) => error);
    expect(found).not.toHaveProperty('b');
  },
);

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
  mend = tamperWithDisk(({ name, path: where }) => {
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
    mend = tamperWithDisk(({ name, path: where }) => {
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
    mend = tamperWithDisk(({ name, path: where }) => {
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
    mend = tamperWithDisk(({ name, path: where }) => {
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
    await expect(new WarningDB(fname, { kernelLock: 'off' }).get()).rejects.toMatchObject({
      code: 'ECORRUPT',
      message: expect.stringContaining('without the kernel lock'),
    });
    expect(readFileSync(fname, 'utf8')).toBe('');
  });
});

describe('a copy', () => {
  test.each([
    ['that is torn too', '{"a":'],
    ['without content', ''],
    ['that is no JSON', '{"a":NaN}\n'],
  ])('%s restores nothing', async (_what, content) => {
    writeFileSync(path('db.json.backup'), content);
    writeFileSync(fname, '{"a"');
    await expect(db.get()).rejects.toMatchObject({
      code: 'ECORRUPT',
      message: expect.stringContaining('there is no copy that can be trusted'),
    });
    expect(readFileSync(fname, 'utf8')).toBe('{"a"');
  });

  test('without a mark, as an earlier version wrote it, may be old', async () => {
    writeFileSync(path('db.json.backup'), '{"a":1}');
    writeFileSync(fname, '');
    expect(await db.get()).toEqual({ a: 1 });
    expect(await db.note()).toBeDefined();
  });

  test('that not everyone may write who writes the file is not trusted', async () => {
    interruptedWrite('{"a":1}', '');
    chmodSync(fname, 0o660);
    chmodSync(path('db.json.backup'), 0o640);
    await expect(db.get()).rejects.toThrow(/not every user who can write it can write .*db\.json\.backup/);
  });

  test.runIf(process.getuid?.() === 0)('has the owner, group and mode of the file', async () => {
    chownSync(fname, 12_345, 23_456);
    chmodSync(fname, 0o660);
    await db.add('a', 1);
    const { uid, gid, mode } = await import('node:fs').then((fs) => fs.statSync(path('db.json.backup')));
    expect([uid, gid, mode & 0o777]).toEqual([12_345, 23_456, 0o660]);
  });

  test('that cannot be read is an error that names it, not a reason to throw it away', async () => {
    interruptedWrite('{"a":1}', '');
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'open' && where.endsWith('.backup')) throw systemError('EACCES');
      return undefined;
    });
    const error = await db.get().catch((reason: Error) => reason);
    expect(error).toMatchObject({ code: 'EACCES' });
    expect((error as Error).message).toMatch(/its copy .*db\.json\.backup cannot be read/);
    expect((error as Error).message).not.toContain('put {}');
  });

  test.each(['null', '[]'])(
    'is not renewed with %s, which is not what the file must hold',
    async (content) => {
      await db.add('a', 1);
      writeFileSync(fname, content);
      await expect(db.get()).rejects.toMatchObject({ code: 'ECORRUPT' });
      expect(copy()).toBe('{"a":1}\n');
    },
  );

  test('that is a directory keeps nobody from writing, with a warning', async () => {
    mkdirSync(path('db.json.backup'));
    await db.add('a', 1);
    expect(await db.get()).toEqual({ a: 1 });
    expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*db\.json\.backup: EISDIR/)]);
  });

  test('that is endless is none, and replaced', async () => {
    writeFileSync(path('db.json.backup'), '');
    truncateSync(path('db.json.backup'), 2 ** 31);
    await db.add('a', 1);
    expect(copy()).toBe('{"a":1}\n');
  });

  test('that is no file is none', async () => {
    mkdirSync(path('db.json.backup'));
    writeFileSync(fname, '{"a"');
    await expect(db.get()).rejects.toMatchObject({ code: 'ECORRUPT' });
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
  mend = tamperWithDisk(({ name, path: where }) => {
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
  mend = tamperWithDisk(({ name, path: where }) => {
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
    expect(performance.now() - start).toBeLessThan(5000);
    expect(readFileSync(fname).equals(content)).toBe(true);
  });
});
