import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { disk } from '../../src/store/disk.js';
import { directory, fname, make, mend, tamper, useLockedFile } from './quiet-db.js';
import { systemError } from './tampered-disk.js';

const path = useLockedFile();

const timed = async (work: Promise<unknown>) => {
  const start = performance.now();
  await work;
  return performance.now() - start;
};

describe('a lock directory that is left behind', () => {
  test.each([0o1755, 0o1700])(
    'marked, by a holder of the kernel lock: the next one removes it (mode %o)',
    async (mode) => {
      mkdirSync(directory, { mode });
      expect(await timed(make().add('a', 1))).toBeLessThan(5000);
      expect(readdirSync(path()).sort()).toEqual(['db.json', 'db.json.backup']);
    },
  );

  const respected = async (lock = {}) => {
    await expect(make({ timeout: 150, ...lock }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
    expect(existsSync(directory)).toBe(true);
  };

  test('without the mark is respected while it is fresh, whatever record an earlier version left', async () => {
    mkdirSync(directory);
    writeFileSync(`${fname}.holder`, '{"kernelLock":true}');
    await respected();
  });

  test('marked is respected by those without the kernel lock', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    await respected({ kernelLock: 'off' });
  });

  test('marked is respected on a file system whose kernel lock other machines may not see', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    vi.spyOn(disk, 'fileSystemOf').mockReturnValue(0x6969);
    await respected();
  });

  test('by anyone is taken over once it is stale', async () => {
    mkdirSync(directory);
    const hourAgo = new Date(Date.now() - 3_600_000);
    utimesSync(directory, hourAgo, hourAgo);
    expect(await timed(make().get())).toBeLessThan(5000);
  });
});

describe('what is no lock, in the place of the lock directory', () => {
  const long = new Date(Date.now() - 3_600_000);
  const obstacles: [string, () => void][] = [
    ['a file', () => writeFileSync(directory, '')],
    ['a dangling link', () => symlinkSync(path('nowhere'), directory)],
    [
      'a directory with something in it',
      () => {
        mkdirSync(directory);
        writeFileSync(path('db.json.lock/thing'), '');
        utimesSync(directory, long, long);
      },
    ],
  ];

  test.each(obstacles)('%s: add() with the kernel lock goes on, with a warning', async (_what, put) => {
    put();
    const db = make();
    await db.add('a', 1);
    expect(await db.get()).toEqual({ a: 1 });
    expect(db.warnings).toEqual([
      expect.stringMatching(/Cannot create .*db\.json\.lock.*remove what is there/),
    ]);
  });

  test.each(obstacles)('%s: get() without it names the thing', async (_what, put) => {
    put();
    await expect(make({ kernelLock: 'off', timeout: 1000 }).get()).rejects.toMatchObject({
      code: expect.stringMatching(/ENOTDIR|ENOTEMPTY/),
      message: expect.stringContaining(directory),
    });
  });
});

test('a lock directory that is removed before it is ready is made again', async () => {
  let removed = 0;
  tamper(({ name, path: where }) => {
    if (name === 'stat' && where === directory && removed++ < 2) rmdirSync(directory);
    return undefined;
  });
  await make({ kernelLock: 'off' }).add('a', 1);
  expect(removed).toBeGreaterThan(2);
  expect(readFileSync(fname, 'utf8')).toBe('{"a":1}');
});

describe('a lock directory that is taken from its holder', () => {
  const takeOver = () => {
    rmdirSync(directory);
    mkdirSync(directory);
    // Nobody takes it over within the millisecond in which it was made, but for this test.
    const later = new Date(Date.now() + 1000);
    utimesSync(directory, later, later);
  };

  test.each(['off', 'auto'] as const)(
    'add() fails at once, also later in the hold, and writes nothing; the thief keeps it (kernel lock: %s)',
    async (kernelLock) => {
      const db = make({ kernelLock });
      await db.add('a', 1);
      await db.withLock(async () => {
        takeOver();
        writeFileSync(fname, '{"theirs":1}');
        const start = performance.now();
        for (const call of [() => db.add('b', 2), () => db.get(), () => db.jsdump({})]) {
          await expect(call()).rejects.toMatchObject({
            code: 'ECOMPROMISED',
            message: expect.stringContaining('Nothing was written'),
          });
        }
        expect(performance.now() - start).toBeLessThan(1000);
      });
      expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
      expect(existsSync(directory)).toBe(true);
      rmdirSync(directory);
      await db.add('b', 2);
      expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1,"b":2}');
    },
  );

  test.each(['off', 'auto'] as const)(
    'add() whose journal is being flushed meanwhile overwrites nothing (kernel lock: %s)',
    async (kernelLock) => {
      const db = make({ kernelLock });
      await db.add('a', 1);
      let isTaken = false;
      tamper(({ name, path: where }) => {
        if (name === 'datasync' && !isTaken && where.endsWith('.backup')) {
          isTaken = true;
          takeOver();
          writeFileSync(fname, '{"theirs":1}');
        }
        return undefined;
      });
      await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
      expect(isTaken).toBe(true);
      mend();
      expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
      // What was refused does not come back, when the thief is killed while it writes.
      rmdirSync(directory);
      writeFileSync(fname, '');
      if (kernelLock === 'auto') await expect(db.get()).rejects.toMatchObject({ code: 'ECORRUPT' });
    },
  );

  test('one whose times somebody else sets is removed in the end all the same, if it is still ours', async () => {
    const db = make({ kernelLock: 'off' });
    await expect(
      db.withLock(() => {
        const past = new Date(Date.now() - 9_750);
        utimesSync(directory, past, past);
        return db.add('a', 1);
      }),
    ).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(readFileSync(fname, 'utf8')).toBe('{}');
  });

  test('one that could not be refreshed is lost, but removed in the end, because it is still ours', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const db = make({ kernelLock: 'off' });
    await db.withLock(async () => {
      tamper(({ name }) => {
        if (name === 'utimes') throw systemError('ENOENT');
        return undefined;
      });
      await vi.advanceTimersByTimeAsync(5003);
      mend();
      await expect(db.get()).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    });
    expect(existsSync(directory)).toBe(false);
  });

  test('one that is taken in the very moment of a refresh stays with the thief', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const db = make({ kernelLock: 'off' });
    await db.withLock(async () => {
      let isRefreshed = false;
      tamper(({ name, path: where }) => {
        if (name === 'stat' && where === directory && isRefreshed) rmdirSync(directory);
        isRefreshed = name === 'utimes';
        return undefined;
      });
      await vi.advanceTimersByTimeAsync(5003);
      mend();
      expect(existsSync(directory)).toBe(false);
      mkdirSync(directory);
      await expect(db.get()).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    });
    expect(existsSync(directory)).toBe(true);
    rmdirSync(directory);
  });

  test('one that is refreshed stays ours, whatever its birth time is said to be', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] });
    const db = make({ kernelLock: 'off' });
    await db.withLock(async () => {
      for (let refreshed = 0; refreshed < 20; refreshed++) {
        await vi.advanceTimersByTimeAsync(5003);
        await db.get();
      }
    });
    expect(existsSync(directory)).toBe(false);
  });

  test('one that was not refreshed for nearly the stale time is not trusted', async () => {
    vi.resetModules();
    let passed = 0;
    const real = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => real() + passed);
    const { SPLockedJSONDB } = await import('../../src/index.js');
    const db = new SPLockedJSONDB(fname, { kernelLock: 'off' });
    await expect(
      db.withLock(() => {
        passed = 9500;
        return db.get();
      }),
    ).rejects.toMatchObject({
      code: 'ECOMPROMISED',
      message: expect.stringMatching(/was not refreshed for 1?\d s/),
    });
    expect(existsSync(directory)).toBe(false);
  });
});

test('lock.stale: however long it is, the directory is refreshed in the time that other programs allow', async () => {
  vi.resetModules();
  const lockSync = vi.fn((..._: unknown[]) => {
    throw Object.assign(new Error('no'), { code: 'EACCES' });
  });
  vi.doMock('proper-lockfile', () => ({ lockSync }));
  const { SPLockedFile } = await import('../../src/index.js');
  vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  for (const stale of [10_000, 600_000]) await new SPLockedFile(fname, { stale }).jsload();
  vi.doUnmock('proper-lockfile');
  expect(lockSync.mock.calls.map(([, options]) => options)).toMatchObject([
    { update: 5000 },
    { update: 5000 },
  ]);
});
