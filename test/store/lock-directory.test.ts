import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { disk } from '../../../src/store/file/disk.js';
import { tamperWithDisk } from '../file/tampered-disk.js';
import { directory, fname, leaveRecord, make, useLockedFile } from './locked-file.js';

const path = useLockedFile();
let mend: () => void = () => undefined;
afterEach(() => {
  mend();
  vi.doUnmock('proper-lockfile');
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const timed = async (work: Promise<unknown>) => {
  const start = performance.now();
  await work;
  return performance.now() - start;
};

describe('a lock directory that is left behind', () => {
  test('by a holder of the kernel lock is void for the next one', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    leaveRecord();
    expect(await timed(make().add('a', 1))).toBeLessThan(5000);
    expect(readdirSync(path()).sort()).toEqual(['db.json', 'db.json.backup']);
  });

  test.each([
    ['without a record', undefined],
    ['by a plain user, beside the record of an earlier directory with the same inode', {}],
    ['by another directory of that name', { directory: '1:2' }],
    ['under another kernel', { bootId: 'another' }],
  ])('%s is respected while it is fresh', async (_what, record) => {
    mkdirSync(directory);
    if (record) leaveRecord(record);
    await expect(make({ timeout: 150 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
    expect(existsSync(directory)).toBe(true);
  });

  test.each(['', '{"pid":', '{}', '{"pid":1,"host":2}', '[]', 'null'])(
    'with the record %j is respected while it is fresh',
    async (record) => {
      mkdirSync(directory);
      writeFileSync(path('db.json.holder'), record);
      await expect(make({ timeout: 60 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
    },
  );

  test('by a holder of the kernel lock that was killed before it wrote its record is void too', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    const waited = await timed(make().add('a', 1));
    expect(waited).toBeGreaterThan(15);
    expect(waited).toBeLessThan(5000);
  });

  test('with the mark of a kernel lock holder, but under another kernel, is respected while it is fresh', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    leaveRecord({ bootId: 'another' });
    await expect(make({ timeout: 150 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
  });

  test('with that mark means nothing to those without the kernel lock', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    await expect(make({ timeout: 150, kernelLock: 'off' }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
  });

  test('by anyone is taken over once it is stale', async () => {
    mkdirSync(directory);
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(directory, hourAgo, hourAgo);
    expect(await timed(make().get())).toBeLessThan(5000);
  });

  test('is taken over though the clock was set back an hour', async () => {
    mkdirSync(directory);
    const now = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
    const realNow = performance.now.bind(performance);
    const start = realNow();
    // A second is as long as a minute.
    vi.spyOn(performance, 'now').mockImplementation(() => start + 60 * (realNow() - start));
    await make().get();
    const waited = realNow() - start;
    expect(waited).toBeGreaterThan(10_000 / 60);
    expect(waited).toBeLessThan(20_000);
  });

  test('without the mark of a kernel lock holder, in a file system without birth times, is respected', async () => {
    mkdirSync(directory);
    const { ino } = statSync(directory);
    leaveRecord({ directory: `${ino}:0` });
    const withoutBirth = (where: string) =>
      Object.assign(lstatSync(where, { bigint: true }), { birthtimeNs: 0n });
    vi.spyOn(disk, 'stat').mockImplementation(withoutBirth);
    vi.spyOn(disk, 'lstat').mockImplementation(withoutBirth);
    await expect(make({ timeout: 150 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
    expect(existsSync(directory)).toBe(true);
  });
});

describe('what is no lock, in the place of the lock directory', () => {
  const obstacles: [string, () => void][] = [
    ['a file', () => writeFileSync(directory, '')],
    ['a dangling link', () => symlinkSync(path('nowhere'), directory)],
    [
      'a directory with something in it',
      () => {
        mkdirSync(directory);
        writeFileSync(path('db.json.lock/thing'), '');
      },
    ],
  ];

  test.each(obstacles)('%s: with the kernel lock it goes on, with a warning', async (_what, put) => {
    put();
    const db = make();
    await db.add('a', 1);
    expect(await db.get()).toEqual({ a: 1 });
    expect(db.warnings).toEqual([
      expect.stringMatching(/Cannot create .*db\.json\.lock.*remove what is there/),
    ]);
  });

  test.each(obstacles)('%s: without it, it is named', async (_what, put) => {
    put();
    await expect(make({ kernelLock: 'off', timeout: 1000 }).get()).rejects.toMatchObject({
      code: 'EEXIST',
      message: expect.stringContaining(directory),
    });
  });
});

test.each([
  ['a pipe', () => execFileSync('mkfifo', [path('db.json.holder')])],
  ['a file that is too large', () => writeFileSync(path('db.json.holder'), ' '.repeat(5000))],
  ['a link', () => symlinkSync('/dev/zero', path('db.json.holder'))],
])('%s in place of the record holds nobody up', async (_what, put) => {
  put();
  mkdirSync(directory);
  await expect(make({ timeout: 60 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
  rmdirSync(directory);
  expect(await make().get()).toEqual({});
});

test('one that is removed before it is ready is made again', async () => {
  let removed = 0;
  mend = tamperWithDisk(({ name, path: where }) => {
    if (name === 'stat' && where === directory && removed++ < 2) rmdirSync(directory);
    return undefined;
  });
  const db = make({ kernelLock: 'off' });
  await db.add('a', 1);
  expect(removed).toBeGreaterThan(2);
  expect(readFileSync(fname, 'utf8')).toBe('{"a":1}');
});

describe('a lock directory that is taken from its holder', () => {
  const takeOver = () => {
    rmdirSync(directory);
    // Another one in between, so that the inode is not simply used again.
    mkdirSync(path('other'));
    mkdirSync(directory);
    rmdirSync(path('other'));
  };

  test('without the kernel lock: the next write fails and writes nothing, the thief keeps it', async () => {
    const db = make({ kernelLock: 'off' });
    await db.add('a', 1);
    await expect(
      db.withLock(() => {
        takeOver();
        return db.add('b', 2);
      }),
    ).rejects.toMatchObject({
      code: 'ECOMPROMISED',
      message: expect.stringContaining('Nothing was written'),
    });
    expect(readFileSync(fname, 'utf8')).toBe('{"a":1}');
    expect(existsSync(directory)).toBe(true);
  });

  test('with the kernel lock: it is taken again once the thief has gone', async () => {
    const db = make();
    await db.withLock(async () => {
      await db.add('a', 1);
      takeOver();
      setTimeout(() => rmSync(directory, { recursive: true, force: true }), 50);
      await db.add('b', 2);
    });
    expect(readFileSync(fname, 'utf8')).toBe('{"a":1,"b":2}');
    expect(readdirSync(path()).sort()).toEqual(['db.json', 'db.json.backup']);
  });

  test('with the kernel lock: what the thief has written is not overwritten', async () => {
    const db = make();
    await expect(
      db.withLock(async () => {
        await db.add('a', 1);
        takeOver();
        writeFileSync(fname, '{"theirs":1}');
        setTimeout(() => rmSync(directory, { recursive: true, force: true }), 50);
        await db.add('b', 2);
      }),
    ).rejects.toMatchObject({
      code: 'ECOMPROMISED',
      message: expect.stringContaining('another program changed'),
    });
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
    await db.add('b', 2);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1,"b":2}');
  });

  test('with the kernel lock, and never given back: the holder gives up', async () => {
    const db = make({ timeout: 100 });
    await expect(
      db.withLock(
        () => {
          takeOver();
          return db.add('a', 1);
        },
        { timeout: 15_000 },
      ),
    ).rejects.toMatchObject({ code: 'ECOMPROMISED', message: expect.stringContaining('not given back') });
    expect(readFileSync(fname, 'utf8')).toBe('{}');
  });

  test('after that, nothing of the same hold is done any more', async () => {
    const db = make({ timeout: 100 });
    const hold = async () => {
      await db.add('a', 1);
      takeOver();
      writeFileSync(fname, '{"theirs":1}');
      await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
      rmdirSync(directory);
      await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
      await expect(db.get()).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    };
    await db.withLock(hold, { timeout: 15_000 });
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
    await make().add('b', 2);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1,"b":2}');
  });

  test('while the copy is flushed: nothing is overwritten', async () => {
    const db = make();
    await db.add('a', 1);
    let taken = false;
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.datasync' && !taken && where.endsWith('.backup')) {
        taken = true;
        takeOver();
        writeFileSync(fname, '{"theirs":1}');
        setTimeout(() => rmSync(directory, { recursive: true, force: true }), 50);
      }
      return undefined;
    });
    await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(taken).toBe(true);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
  });

  test('one whose times somebody else sets is removed in the end all the same', async () => {
    const db = make({ kernelLock: 'off' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await db.withLock(async () => {
      utimesSync(directory, new Date(), new Date(Date.now() + 60_000));
      await vi.advanceTimersByTimeAsync(5000);
    });
    vi.useRealTimers();
    expect(existsSync(directory)).toBe(false);
  });

  test('one whose birth time changes with each refresh, where statx is blocked, stays ours', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const real = disk.stat;
    vi.spyOn(disk, 'stat').mockImplementation((where) => {
      const stats = real(where);
      return Object.assign(stats, { birthtimeNs: stats.ctimeNs });
    });
    const db = make({ kernelLock: 'off' });
    await db.withLock(async () => {
      for (let refreshed = 0; refreshed < 20; refreshed++) {
        await vi.advanceTimersByTimeAsync(5003);
        await db.get();
      }
    });
  });

  test('one that could not be refreshed for nearly the stale time is not trusted', async () => {
    const db = make({ kernelLock: 'off' });
    const past = new Date(Date.now() - 9_750);
    await expect(
      db.withLock(() => {
        utimesSync(directory, past, past);
        return db.add('a', 1);
      }),
    ).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(readFileSync(fname, 'utf8')).toBe('{}');
  });
});
