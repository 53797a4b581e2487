import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AttachDB, type LockOptions, SPLockedJSONDB } from '../../../src/index.js';
import { disk, OpenFile } from '../../../src/store/file/disk.js';
import { bootId, identity } from '../../../src/store/lock/holder-record.js';
import { takeKernelLock } from '../../../src/store/lock/kernel-lock.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { systemError, tamperWithDisk } from '../file/tampered-disk.js';

const path = useTempDir();
let fname: string;
let directory: string;
let mend: () => void = () => undefined;
beforeEach(() => {
  fname = path('db.json');
  directory = path('db.json.lock');
  writeFileSync(fname, '{}');
});
afterEach(() => {
  mend();
  vi.doUnmock('proper-lockfile');
  vi.restoreAllMocks();
});

class QuietDB extends SPLockedJSONDB {
  warnings: string[] = [];
  protected override warn(message: string): void {
    this.warnings.push(message);
  }
}
const make = (lock?: LockOptions) => new QuietDB(fname, { stale: 2000, ...lock });
const identityNow = () => identity(statSync(directory, { bigint: true }));
const timed = async (work: Promise<unknown>) => {
  const start = performance.now();
  await work;
  return performance.now() - start;
};

async function leaveRecord(changes: Record<string, unknown> = {}): Promise<void> {
  const record = {
    pid: 4_000_000,
    host: 'elsewhere',
    bootId: await bootId(),
    since: '2026-01-01T00:00:00.000Z',
    kernelLock: true,
    directory: identityNow(),
    ...changes,
  };
  writeFileSync(path('db.json.holder'), JSON.stringify(record));
}

test('both locks are held, and a record says by whom', async () => {
  const db = make();
  await db.withLock(async () => {
    const record = JSON.parse(readFileSync(path('db.json.holder'), 'utf8'));
    expect(record).toEqual({
      pid: process.pid,
      host: hostname(),
      bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
      since: expect.stringMatching(/^\d{4}-\d\d-\d\dT/u),
      kernelLock: true,
      directory: identityNow(),
    });
    const other = await open(fname, 'r+');
    await expect(takeKernelLock(other.fd, AbortSignal.timeout(30))).rejects.toThrow();
    await other.close();
  });
  expect(readdirSync(path())).toEqual(['db.json']);
});

test('a file that was replaced while we waited for it is not the one that we lock', async () => {
  const holder = await open(fname, 'r+');
  await takeKernelLock(holder.fd, AbortSignal.timeout(1000));
  const waiting = make().add('a', 1);
  await new Promise((resolve) => setTimeout(resolve, 30));
  writeFileSync(path('new.json'), '{"other":1}');
  renameSync(path('new.json'), fname);
  await new Promise((resolve) => setTimeout(resolve, 30));
  await holder.close();
  await waiting;
  expect(JSON.parse(readFileSync(fname, 'utf8'))).toEqual({ other: 1, a: 1 });
});

describe('who holds the lock is named', () => {
  test('by the kernel lock', async () => {
    const holder = await open(fname, 'r+');
    await takeKernelLock(holder.fd, AbortSignal.timeout(1000));
    await expect(make({ timeout: 40 }).get()).rejects.toMatchObject({
      code: 'ELOCKED',
      message: expect.stringMatching(
        new RegExp(
          `db\\.json could not be locked within 40 ms: the kernel lock belongs to process ${process.pid} \\(`,
        ),
      ),
    });
    await holder.close();
    expect(readdirSync(path())).toEqual(['db.json']);
  });

  test('by the record of the lock directory', async () => {
    mkdirSync(directory);
    await leaveRecord({ kernelLock: false });
    await expect(make({ timeout: 40 }).get()).rejects.toThrow(
      /the lock directory was made by process 4000000 on elsewhere at 2026-01-01/,
    );
  });

  test('by nothing, when there is only a directory', async () => {
    mkdirSync(directory);
    await expect(make({ timeout: 40, kernelLock: 'off' }).get()).rejects.toThrow(/its holder left no name/);
    await leaveRecord({ directory: 'of another' });
    await expect(make({ timeout: 40 }).get()).rejects.not.toThrow(/process 4000000/);
  });
});

describe('a lock directory that is left behind', () => {
  test('by a holder of the kernel lock is void for the next one', async () => {
    mkdirSync(directory);
    await leaveRecord();
    expect(await timed(make().add('a', 1))).toBeLessThan(1000);
    expect(readdirSync(path()).sort()).toEqual(['db.json', 'db.json.backup']);
  });

  test.each([
    ['without a record', undefined],
    ['by somebody without the kernel lock', { kernelLock: false }],
    ['by another directory of that name', { directory: '1:2' }],
    ['under another kernel', { bootId: 'another' }],
  ])('%s is respected while it is fresh', async (_what, record) => {
    mkdirSync(directory);
    if (record) await leaveRecord(record);
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
    expect(waited).toBeLessThan(1000);
  });

  test('with the mark of a kernel lock holder, but under another kernel, is respected while it is fresh', async () => {
    mkdirSync(directory, { mode: 0o1755 });
    await leaveRecord({ bootId: 'another' });
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
    expect(await timed(make().get())).toBeLessThan(1000);
  });

  test('is taken over though the clock was set back an hour', async () => {
    mkdirSync(directory);
    const now = Date.now.bind(Date);
    vi.spyOn(Date, 'now').mockImplementation(() => now() - 3_600_000);
    const waited = await timed(make().get());
    expect(waited).toBeGreaterThan(1900);
    expect(waited).toBeLessThan(4000);
  });

  test('with something in it is an error that names it', async () => {
    mkdirSync(directory);
    await leaveRecord();
    writeFileSync(path('db.json.lock/thing'), '');
    await expect(make().get()).rejects.toMatchObject({
      code: 'ENOTEMPTY',
      message: expect.stringContaining(directory),
    });
  });
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
      setTimeout(() => rmdirSync(directory), 50);
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
        setTimeout(() => rmdirSync(directory), 50);
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
      db.withLock(() => {
        takeOver();
        return db.add('a', 1);
      }),
    ).rejects.toMatchObject({ code: 'ECOMPROMISED', message: expect.stringContaining('not given back') });
    expect(readFileSync(fname, 'utf8')).toBe('{}');
  });

  test('after that, nothing of the same hold is done any more', async () => {
    const db = make({ timeout: 100 });
    await db.withLock(async () => {
      await db.add('a', 1);
      takeOver();
      writeFileSync(fname, '{"theirs":1}');
      await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
      rmdirSync(directory);
      await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
      await expect(db.get()).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    });
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
    await db.add('b', 2);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1,"b":2}');
  });

  test.each(['.backup.tmp', 'the directory'])('while %s is flushed: nothing is overwritten', async (what) => {
    const db = make();
    await db.add('a', 1);
    let taken = false;
    mend = tamperWithDisk(({ name, path: where }) => {
      const isFlush = what === '.backup.tmp' ? name === 'handle.datasync' : name === 'handle.sync';
      if (isFlush && !taken && (where.endsWith(what) || where === path())) {
        taken = true;
        takeOver();
        writeFileSync(fname, '{"theirs":1}');
        setTimeout(() => rmdirSync(directory), 50);
      }
      return undefined;
    });
    await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(taken).toBe(true);
    expect(readFileSync(fname, 'utf8')).toBe('{"theirs":1}');
  });

  test('one whose times somebody else sets is removed in the end all the same', async () => {
    const db = make({ kernelLock: 'off' });
    await db.withLock(async () => {
      utimesSync(directory, new Date(), new Date(Date.now() + 60_000));
      await new Promise((resolve) => setTimeout(resolve, 1100));
    });
    expect(existsSync(directory)).toBe(false);
  });

  test('one that could not be refreshed for nearly the stale time is not trusted', async () => {
    const db = make({ kernelLock: 'off' });
    const past = new Date(Date.now() - 1_950);
    await expect(
      db.withLock(() => {
        utimesSync(directory, past, past);
        return db.add('a', 1);
      }),
    ).rejects.toMatchObject({ code: 'ECOMPROMISED' });
    expect(readFileSync(fname, 'utf8')).toBe('{}');
  });
});

describe('a directory that this user may not write', () => {
  test('the record cannot be written: the locks serve all the same', async () => {
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'create' && where.endsWith('.holder')) throw systemError('EACCES');
      return undefined;
    });
    const db = make();
    await db.add('a', 1);
    expect(await db.get()).toEqual({ a: 1 });
  });

  const withDeniedLockDirectory = async () => {
    vi.resetModules();
    vi.doMock('proper-lockfile', () => ({ lock: async () => Promise.reject(systemError('EACCES')) }));
    const { AttachDB } = await import('../../../src/index.js');
    return AttachDB;
  };

  test('the kernel lock alone serves, with a warning once', async () => {
    const AttachDB = await withDeniedLockDirectory();
    const log = { warn: vi.fn() };
    const db = new AttachDB({ log, fname });
    await db.add('a', { volume: 'v', rights: 1 });
    expect(await db.get()).toEqual({ a: { volume: 'v', rights: 1 } });
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/Cannot make .*db\.json\.lock: EACCES.*The kernel lock alone guards/),
    );
  });

  test('on a full file system it serves too', async () => {
    vi.resetModules();
    vi.doMock('proper-lockfile', () => ({ lock: async () => Promise.reject(systemError('ENOSPC')) }));
    const { AttachDB } = await import('../../../src/index.js');
    const log = { warn: vi.fn() };
    expect(await new AttachDB({ log, fname }).get()).toEqual({});
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/Cannot make .*db\.json\.lock: ENOSPC.*make room there/),
    );
  });

  test('with neither lock there is an error', async () => {
    const AttachDB = await withDeniedLockDirectory();
    const db = new AttachDB({ log: console, fname, lock: { kernelLock: 'off' } });
    await expect(db.get()).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(/Cannot lock .*db\.json: EACCES.*in the group/),
    });
  });
});

test('a lock directory that cannot be removed is told to the operator, and fails nothing', async () => {
  const db = make();
  await db.withLock(() => writeFileSync(path('db.json.lock/thing'), ''));
  expect(db.warnings).toEqual([
    expect.stringMatching(/Cannot remove .*db\.json\.lock, which delays the next holder/),
  ]);
});

test('a record that cannot be removed leaves no lock directory behind', async () => {
  mkdirSync(path('db.json.holder'));
  const db = make({ kernelLock: 'off' });
  await db.add('a', 1);
  expect(existsSync(path('db.json.lock'))).toBe(false);
  expect(db.warnings).toHaveLength(1);
});

test('a logger that fails keeps nobody out', async () => {
  const logger = {
    warn: () => {
      throw new Error('the logger is closed');
    },
  };
  const db = new AttachDB({ log: logger, fname, lock: { timeout: 500 } });
  await expect(db.withLock(() => writeFileSync(path('db.json.lock/thing'), ''))).rejects.toThrow('is closed');
  rmSync(path('db.json.lock'), { recursive: true });
  expect(await db.get()).toEqual({});
  expect(spawnSync('flock', ['-n', '-x', fname, 'true']).status).toBe(0);
});

test('a stale time beyond what a timer can do is refused', () => {
  expect(() => make({ stale: Number.POSITIVE_INFINITY })).toThrow(/lock\.stale is Infinity/);
});

test('however long the stale time, the directory is refreshed in the time that other programs allow', async () => {
  vi.resetModules();
  const lock = vi.fn(async (..._: unknown[]) => Promise.reject(systemError('EACCES')));
  vi.doMock('proper-lockfile', () => ({ lock }));
  const { SPLockedFile } = await import('../../../src/index.js');
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  for (const stale of [4000, 600_000]) await new SPLockedFile(fname, { stale }).jsload();
  expect(lock.mock.calls.map(([, options]) => options)).toMatchObject([{ update: 2000 }, { update: 5000 }]);
  expect(warn).toHaveBeenCalled();
});

test('inode numbers with more digits than a number has', async () => {
  const large = 2n ** 53n + 1n;
  const stat = vi
    .spyOn(disk, 'stat')
    .mockImplementation(
      async (where) =>
        Object.assign(statSync(where, { bigint: true }), where === fname && { ino: large }) as never,
    );
  const place = vi
    .spyOn(OpenFile.prototype, 'place')
    .mockImplementation(async () => ({ ino: large, dev: statSync(fname, { bigint: true }).dev }));
  const fstat = vi
    .spyOn(OpenFile.prototype, 'stat')
    .mockImplementation(async () => Object.assign(statSync(fname), { ino: Number(large) }));
  await make({ timeout: 200 }).get();
  expect([stat, place, fstat].every(({ mock }) => mock.calls.length > 0)).toBe(true);
});

test('a file that is replaced again and again does not stop the process', async () => {
  vi.spyOn(OpenFile.prototype, 'place').mockImplementation(async () => ({ ino: 1n, dev: 1n }));
  await expect(make({ timeout: 50 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
});

test('a signal that is aborted while the lock is taken, after which it is free', async () => {
  const controller = new AbortController();
  const db = make();
  mend = tamperWithDisk(({ name, path: where }) => {
    if (name === 'create' && where.endsWith('.holder')) controller.abort(new Error('enough'));
    return undefined;
  });
  await expect(db.withLock(() => 'in', { signal: controller.signal })).rejects.toThrow('enough');
  expect(existsSync(directory)).toBe(false);
  mend();
  expect(await db.withLock(() => 'in')).toBe('in');
});

test('a wait for the turn inside of a hold has a limit too', async () => {
  const db = make({ timeout: 2000 });
  await db.withLock(async () => {
    const first = db.withLock(() => new Promise((resolve) => setTimeout(resolve, 200)));
    await expect(db.withLock(() => 'in', { timeout: 30 })).rejects.toMatchObject({
      code: 'ELOCKED',
      message: expect.stringContaining('within 30 ms: other calls inside'),
    });
    await first;
  });
});
