// The copy beside the file: how it is kept, and what restores nothing.
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
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

describe('the copy', () => {
  test('is pending until the file is touched, then being written, and complete after that', async () => {
    const seen: string[] = [];
    tamper(({ name, path: where }) => {
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
    tamper(({ name, path: where }) => {
      if (name.endsWith('sync')) flushed.push(where);
      return undefined;
    });
    await db.add('b', 2);
    await new NotedDB(fname).add('c', 3);
    expect(flushed).toEqual([path('db.json.backup'), fname, path('db.json.backup'), fname]);
  });

  test('is renewed by whoever reads what another program wrote, after that is on the disk', async () => {
    await db.add('a', 1);
    writeAsPython({ b: 2 });
    const flushed: string[] = [];
    tamper(({ name, path: where }) => {
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
    tamper(({ name, path: where }) => {
      if (name === 'file.write' && where.endsWith('.backup')) throw systemError('ENOSPC');
      return undefined;
    });
    expect(await db.get()).toEqual({ b: 2 });
    expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*db\.json\.backup: ENOSPC/)]);
  });

  test('that this user may not write is removed, and made anew', async () => {
    await db.add('a', 1);
    let isFirst = true;
    tamper(({ name, path: where, args }) => {
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
    tamper(({ name, path: where }) => {
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
    tamper(({ name, path: where }) => {
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
    await expect(new NotedDB(fname, { kernelLock }).add('b', 2)).rejects.toMatchObject({
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
    tamper(({ name, path: where }) => {
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

test.skipIf(process.getuid?.() !== 0)(
  'a copy that cannot get the group of the file gives no other group access',
  async () => {
    chmodSync(fname, 0o664);
    tamper(({ name }) => {
      if (name === 'file.chown') throw systemError('EPERM');
      return undefined;
    });
    chownSync(fname, 0, 12_345);
    await db.add('a', 1);
    expect(statSync(`${fname}.backup`).mode & 0o777).toBe(0o604);
  },
);
