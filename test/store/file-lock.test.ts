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
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { AttachDB, SPLockedFile, SPLockedJSONDB } from '../../src/index.js';
import { codeOf, disk, diskError, isDenied, isFull } from '../../src/store/disk.js';
import { loadKernelLock } from '../../src/store/kernel-lock.js';
import { FileQueue } from '../../src/store/queue.js';
import { directory, fname, make, mend, tamper, useLockedFile } from './quiet-db.js';
import { systemError } from './tampered-disk.js';

const path = useLockedFile();
afterEach(() => {
  vi.doUnmock('proper-lockfile');
  vi.doUnmock('koffi');
  vi.unstubAllEnvs();
});

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

test('withLock() holds both locks, and leaves nothing behind', async () => {
  await make().withLock(async () => {
    expect(statSync(directory).mode & 0o1000).toBe(0o1000);
    const other = await open(fname, 'r+');
    expect((await loadKernelLock())(other.fd)).toBe('taken');
    await other.close();
  });
  expect(readdirSync(path())).toEqual(['db.json']);
});

test('withLock() waits while a plain user of proper-lockfile has the lock, and keeps it out', async () => {
  const { lock } = await import('proper-lockfile');
  const unlock = await lock(fname);
  let isIn = false;
  const waiting = make().withLock(async () => {
    isIn = true;
    await expect(lock(fname)).rejects.toMatchObject({ code: 'ELOCKED' });
  });
  await pause(60);
  expect(isIn).toBe(false);
  await unlock();
  await waiting;
});

test('add() changes the file that is at the path once it has the lock', async () => {
  const holder = await open(fname, 'r+');
  expect((await loadKernelLock())(holder.fd)).toBe('ours');
  const waiting = make().add('a', 1);
  await pause(30);
  writeFileSync(path('new.json'), '{"other":1}');
  renameSync(path('new.json'), fname);
  await pause(30);
  await holder.close();
  await waiting;
  expect(JSON.parse(readFileSync(fname, 'utf8'))).toEqual({ other: 1, a: 1 });
});

test('get() of a file that is replaced again and again times out, and does not stop the process', async () => {
  vi.spyOn(disk, 'fstat').mockImplementation(() =>
    Object.assign(statSync(fname, { bigint: true }), { ino: 1n }),
  );
  await expect(make({ timeout: 50 }).get()).rejects.toMatchObject({ code: 'ELOCKED' });
});

test('get() compares inode numbers that have more digits than a number', async () => {
  const large = () => Object.assign(statSync(fname, { bigint: true }), { ino: 2n ** 53n + 1n });
  const real = disk.stat;
  vi.spyOn(disk, 'stat').mockImplementation((where) => (where === fname ? large() : real(where)));
  vi.spyOn(disk, 'fstat').mockImplementation(large);
  expect(await make({ timeout: 200 }).get()).toEqual({});
});

describe('a directory that this user may not write', () => {
  const withoutDirectory = async (code: string) => {
    vi.resetModules();
    const lockSync = () => {
      throw systemError(code);
    };
    vi.doMock('proper-lockfile', () => ({ lockSync }));
    return import('../../src/index.js');
  };

  test.each([
    ['EACCES', 'make the directory writable'],
    ['ENOSPC', 'make room there'],
  ])('add() with the kernel lock alone warns once (%s)', async (code, remedy) => {
    const { AttachDB } = await withoutDirectory(code);
    const log = { warn: vi.fn() };
    const db = new AttachDB({ log, fname });
    await db.add('a', { volume: 'v', rights: 1 });
    expect(await db.get()).toMatchObject({ a: { volume: 'v', rights: 1 } });
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(
        new RegExp(`Cannot create .*db\\.json\\.lock: ${code}.*Only the kernel lock guards.*${remedy}`),
      ),
    );
  });

  test('get() with neither lock fails', async () => {
    const { AttachDB } = await withoutDirectory('EACCES');
    await expect(
      new AttachDB({ log: console, fname, lock: { kernelLock: 'off' } }).get(),
    ).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(/Cannot lock .*db\.json: EACCES.*in the group/),
    });
  });
});

const keepDirectory = () =>
  tamper(({ name }) => {
    if (name === 'rmdir') throw systemError('EBUSY');
    return undefined;
  });

test('withLock() tells the operator of a lock directory that cannot be removed, and fails nothing', async () => {
  const db = make();
  await db.withLock(keepDirectory);
  expect(db.warnings).toEqual([
    expect.stringMatching(/Cannot remove .*db\.json\.lock, so others may have to wait/),
  ]);
});

test('withLock() outlives a logger that fails, and keeps nobody out', async () => {
  const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const warn = () => {
    throw new Error('the logger is closed');
  };
  const db = new AttachDB({ log: { warn }, fname, lock: { timeout: 500 } });
  await db.withLock(keepDirectory);
  expect(emitWarning).toHaveBeenCalledExactlyOnceWith(
    expect.stringMatching(/Cannot remove .*the logger is closed/),
    'SPLockedFileWarning',
  );
  mend();
  expect(await db.get()).toEqual({});
  expect(spawnSync('flock', ['-n', '-x', fname, 'true']).status).toBe(0);
});

test('withLock() with a signal that is aborted while the lock is taken leaves it free', async () => {
  const controller = new AbortController();
  const db = make();
  tamper(({ name }) => {
    if (name === 'mkdir') controller.abort(new Error('enough'));
    return undefined;
  });
  await expect(db.withLock(() => 'in', { signal: controller.signal })).rejects.toThrow('enough');
  expect(existsSync(directory)).toBe(false);
  expect(await db.withLock(() => 'in')).toBe('in');
});

test('get() waits for a lock directory with the kernel lock free most of the time', async () => {
  mkdirSync(directory);
  const waiting = make({ timeout: 60_000 }).get();
  // As many looks as are needed: how long they take depends on what else the machine does.
  for (let got = 0; got < 10; ) {
    await pause(20);
    const file = await open(fname, 'r+');
    if ((await loadKernelLock())(file.fd) === 'ours') got++;
    await file.close();
  }
  rmdirSync(directory);
  expect(await waiting).toEqual({});
});

test('get() in a loop lets timers run', async () => {
  const db = make();
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  for (let nr = 0; nr < 200; nr++) await db.get();
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(10);
});

test('add() without the kernel lock, which has worked on this file before, is an error', async () => {
  vi.resetModules();
  vi.doMock('koffi', () => {
    throw new Error('koffi is not installed');
  });
  const { SPLockedJSONDB } = await import('../../src/index.js');
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const db = new SPLockedJSONDB(fname);
  await db.add('a', 1);
  vi.stubEnv('PATH', path());
  await expect(db.add('b', 2)).rejects.toMatchObject({
    code: 'ENOTSUP',
    message: expect.stringMatching(/which has worked before: there is no flock program/),
  });
  expect(warn).not.toHaveBeenCalled();
});

test('get() in a directory that is not there says which to create', async () => {
  await expect(new SPLockedFile(path('nowhere/db.json')).jsload()).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringContaining(`Create the directory ${path('nowhere')}, mode 0770`),
  });
});

test('lock.stale beyond what a timer can do is refused', () => {
  expect(() => make({ stale: Number.POSITIVE_INFINITY })).toThrow(/lock\.stale is Infinity/);
});

test('isFull() knows a quota, though Node.js 20 has no name for it', () => {
  const error = Object.assign(new Error('unknown'), { code: 'Unknown system error -122', errno: -122 });
  expect(codeOf(error)).toBe('EDQUOT');
  expect(isFull(error)).toBe(true);
});

test.each([Number.NaN, -5, 'abc' as unknown as number])(
  'get() with the timeout %s is refused',
  async (timeout) => {
    await expect(make().get({ timeout })).rejects.toMatchObject({
      code: 'EINVAL',
      message: expect.stringMatching(/timeout is .*: give at least 0/),
    });
  },
);

test('add() follows a link that leads elsewhere by the time it has the lock', async () => {
  writeFileSync(path('other.json'), '{}');
  symlinkSync(fname, path('link.json'));
  const holder = await open(fname, 'r+');
  expect((await loadKernelLock())(holder.fd)).toBe('ours');
  const waiting = new SPLockedJSONDB(path('link.json')).add('a', 1);
  await pause(30);
  rmSync(path('link.json'));
  symlinkSync(path('other.json'), path('link.json'));
  await waiting;
  await holder.close();
  expect([readFileSync(fname, 'utf8'), readFileSync(path('other.json'), 'utf8')]).toEqual(['{}', '{"a":1}']);
});

test('add() that has queued behind another call follows a link whose old file is gone', async () => {
  writeFileSync(path('other.json'), '{}');
  symlinkSync(fname, path('link.json'));
  let waiting: Promise<void> | undefined;
  await make().withLock(async () => {
    waiting = new SPLockedJSONDB(path('link.json')).add('a', 1);
    await pause(5);
    rmSync(path('link.json'));
    symlinkSync(path('other.json'), path('link.json'));
    rmSync(fname);
  });
  await waiting;
  expect(readFileSync(path('other.json'), 'utf8')).toBe('{"a":1}');
});

test('get() does not count the gap of its own process as waiting', async () => {
  const gaps = vi.spyOn(FileQueue.prototype, 'gap', 'get').mockImplementation(() => pause(300));
  expect(await make({ timeout: 250 }).get()).toEqual({});
  expect(gaps).toHaveBeenCalledOnce();
});

test('codeOf() and diskError() take whatever was thrown', () => {
  expect([codeOf(null), codeOf(undefined), codeOf('text'), codeOf(new Error('no code'))]).toEqual(
    Array(4).fill(undefined),
  );
  const strange = Object.assign(new Error('unknown'), { code: 'Unknown system error -9999', errno: -9999 });
  expect(codeOf(strange)).toBe('error 9999');
  expect(diskError(new Error('why'), 'Cannot do it', 'nothing was changed')).toMatchObject({
    code: 'EIO',
    message: 'Cannot do it: why; nothing was changed',
  });
  expect([isFull(new Error('no code')), isDenied(new Error('no code'))]).toEqual([false, false]);
});

test('a process that is out of descriptors at its first lock takes both locks later', async () => {
  vi.resetModules();
  const load = vi.fn();
  vi.doMock('koffi', async (importOriginal) => {
    load();
    return importOriginal();
  });
  const { SPLockedFile } = await import('../../src/index.js');
  const { disk } = await import('../../src/store/disk.js');
  const open = vi.spyOn(disk, 'open').mockImplementation(() => {
    throw systemError('EMFILE');
  });
  const file = new SPLockedFile(fname);
  await expect(file.jsload()).rejects.toMatchObject({ code: 'EMFILE' });
  expect(load).not.toHaveBeenCalled();
  open.mockRestore();
  expect(await file.jsload()).toEqual({});
  expect(load).toHaveBeenCalledOnce();
  vi.doUnmock('koffi');
});
