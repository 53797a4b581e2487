import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { hostname } from 'node:os';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AttachDB } from '../../../src/index.js';
import { disk, OpenFile } from '../../../src/store/file/disk.js';
import { tryKernelLock } from '../../../src/store/lock/kernel-lock.js';
import { describeHolder } from '../../../src/store/lock/lock-errors.js';
import { systemError, tamperWithDisk } from '../file/tampered-disk.js';
import { directory, fname, identityNow, leaveRecord, make, useLockedFile } from './locked-file.js';

const path = useLockedFile();
let mend: () => void = () => undefined;
afterEach(() => {
  mend();
  vi.doUnmock('proper-lockfile');
  vi.restoreAllMocks();
});

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
    expect(await tryKernelLock(other.fd)).toBe(false);
    await other.close();
  });
  expect(readdirSync(path())).toEqual(['db.json']);
});

test('a file that was replaced while we waited for it is not the one that we lock', async () => {
  const holder = await open(fname, 'r+');
  expect(await tryKernelLock(holder.fd)).toBe(true);
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
    expect(await tryKernelLock(holder.fd)).toBe(true);
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

  test('by the kernel lock on this device, not on another with the same inode', () => {
    const { dev, ino } = statSync(fname);
    const hex = (number: number) => number.toString(16).padStart(2, '0');
    const here = `${hex(dev >> 8)}:${hex(dev & 0xff)}`;
    vi.spyOn(disk, 'readSystemFile').mockReturnValue(
      ['fe:fe 11', `${here} 22`]
        .map((line, nr) => {
          const [device, pid] = line.split(' ');
          return `${nr}: FLOCK  ADVISORY  WRITE ${pid} ${device}:${ino} 0 EOF`;
        })
        .join('\n'),
    );
    expect(describeHolder(fname)).toContain('the kernel lock belongs to process 22 ');
  });

  test('by the record of the lock directory', async () => {
    mkdirSync(directory);
    leaveRecord({ kernelLock: false });
    await expect(make({ timeout: 40 }).get()).rejects.toThrow(
      /the lock directory was made by process 4000000 on elsewhere at 2026-01-01/,
    );
  });

  test('by nothing, when there is only a directory', async () => {
    mkdirSync(directory);
    await expect(make({ timeout: 40, kernelLock: 'off' }).get()).rejects.toThrow(/its holder left no name/);
    leaveRecord({ directory: 'of another' });
    await expect(make({ timeout: 40 }).get()).rejects.not.toThrow(/process 4000000/);
  });
});

describe('a directory that this user may not write', () => {
  test('the record cannot be written: the locks serve all the same', async () => {
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'open' && where.endsWith('.holder')) throw systemError('EACCES');
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
    expect(await db.get()).toMatchObject({ a: { volume: 'v', rights: 1 } });
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/Cannot create .*db\.json\.lock: EACCES.*Only the kernel lock guards/),
    );
  });

  test('on a full file system it serves too', async () => {
    vi.resetModules();
    vi.doMock('proper-lockfile', () => ({ lock: async () => Promise.reject(systemError('ENOSPC')) }));
    const { AttachDB } = await import('../../../src/index.js');
    const log = { warn: vi.fn() };
    expect(await new AttachDB({ log, fname }).get()).toEqual({});
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/Cannot create .*db\.json\.lock: ENOSPC.*make room there/),
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
    expect.stringMatching(/Cannot remove .*db\.json\.lock, so the next holder must wait/),
  ]);
});

test.each(['off', 'required'] as const)(
  'a directory in the place of the record is no matter to anybody (kernel lock: %s)',
  async (kernelLock) => {
    mkdirSync(path('db.json.holder'));
    const db = make({ kernelLock });
    await db.add('a', 1);
    expect(existsSync(path('db.json.lock'))).toBe(false);
    expect(db.warnings).toEqual([]);
  },
);

test('a logger that fails fails nothing, and keeps nobody out', async () => {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const logger = {
    warn: () => {
      throw new Error('the logger is closed');
    },
  };
  const db = new AttachDB({ log: logger, fname, lock: { timeout: 500 } });
  await db.withLock(() => writeFileSync(path('db.json.lock/thing'), ''));
  expect(emitWarning).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/Cannot remove .*the logger is closed/),
    'SPLockedFileWarning',
  );
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
  for (const stale of [10_000, 600_000]) await new SPLockedFile(fname, { stale }).jsload();
  expect(lock.mock.calls.map(([, options]) => options)).toMatchObject([{ update: 5000 }, { update: 5000 }]);
  expect(warn).toHaveBeenCalled();
});

test('inode numbers with more digits than a number has', async () => {
  const large = 2n ** 53n + 1n;
  const stat = vi
    .spyOn(disk, 'stat')
    .mockImplementation((where) =>
      Object.assign(statSync(where, { bigint: true }), where === fname && { ino: large }),
    );
  const fstat = vi
    .spyOn(OpenFile.prototype, 'stat')
    .mockImplementation(() => Object.assign(statSync(fname, { bigint: true }), { ino: large }));
  await make({ timeout: 200 }).get();
  expect([stat, fstat].every(({ mock }) => mock.calls.length > 0)).toBe(true);
});

test('a file that is replaced again and again does not stop the process', async () => {
  vi.spyOn(OpenFile.prototype, 'stat').mockImplementation(() =>
    Object.assign(statSync(fname, { bigint: true }), { ino: 1n }),
  );
  await expect(make({ timeout: 50 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
});

test('a signal that is aborted while the lock is taken, after which it is free', async () => {
  const controller = new AbortController();
  const db = make();
  mend = tamperWithDisk(({ name, path: where }) => {
    if (name === 'open' && where.endsWith('.holder')) controller.abort(new Error('enough'));
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
      message: expect.stringContaining('after 30 ms waiting for another call inside'),
    });
    await first;
  });
});
