// Who else gets their turn: other programs, timers, and the error message of a call that does not.
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmdirSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SPLockedJSONDB } from '../../../src/index.js';
import { codeOf, isFull } from '../../../src/store/file/disk.js';
import { tryKernelLock } from '../../../src/store/lock/kernel-lock.js';
import { useTempDir } from '../../lib/temp-dir.js';

const path = useTempDir();
let fname: string;
beforeEach(() => {
  fname = path('db.json');
  writeFileSync(fname, '{}');
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.doUnmock('koffi');
  vi.unstubAllEnvs();
});

test('while a lock directory is waited for, the kernel lock is free most of the time', async () => {
  mkdirSync(`${fname}.lock`);
  const waiting = new SPLockedJSONDB(fname, { timeout: 60_000 }).get();
  // As many looks as are needed: how long they take depends on what else the machine does.
  for (let got = 0; got < 10; ) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const file = await open(fname, 'r+');
    if (await tryKernelLock(file.fd)) got++;
    await file.close();
  }
  rmdirSync(`${fname}.lock`);
  expect(await waiting).toEqual({});
});

test('a loop of calls lets timers run', async () => {
  const db = new SPLockedJSONDB(fname);
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  for (let nr = 0; nr < 200; nr++) await db.get();
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(10);
});

test('a loop of calls leaves a gap for a program that looks every 100 ms', async () => {
  const db = new SPLockedJSONDB(fname);
  const realNow = performance.now.bind(performance);
  const realTime = process.hrtime.bigint.bind(process.hrtime);
  let held = 0;
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => realTime() + BigInt(held * 1e6));
  let last = realNow();
  let longest = 0;
  for (let nr = 0; nr < 6; nr++) {
    await db.withLock(() => {
      longest = Math.max(longest, realNow() - last);
      held += 300;
    });
    last = realNow();
  }
  expect(longest).toBeGreaterThan(90);
});

test('once the kernel lock has worked on a file, going on without it is an error', async () => {
  vi.resetModules();
  vi.doMock('koffi', () => {
    throw new Error('koffi is not installed');
  });
  const { SPLockedJSONDB } = await import('../../../src/index.js');
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

test('a directory that is not there has a remedy of its own', async () => {
  await expect(new SPLockedJSONDB(path('nowhere/db.json')).get()).rejects.toMatchObject({
    code: 'ENOENT',
    message: expect.stringContaining(`Create the directory ${path('nowhere')}, mode 0770`),
  });
});

test('a quota is a lack of room, though Node.js 20 has no name for it', () => {
  const error = Object.assign(new Error('unknown'), { code: 'Unknown system error -122', errno: -122 });
  expect(codeOf(error)).toBe('EDQUOT');
  expect(isFull(error)).toBe(true);
});

test('a flush that does not come back is seen in the debug output', async () => {
  const { default: createDebug } = await import('debug');
  const lines: string[] = [];
  const log = vi.spyOn(createDebug, 'log').mockImplementation((...args) => {
    lines.push(args.join(' '));
  });
  createDebug.enable('storpool:lock');
  // Opening a pipe that nobody writes to takes one of the four threads that flushing needs, too.
  const pipes = [1, 2, 3, 4, 5, 6, 7, 8].map((nr) => path(`pipe${nr}`));
  execFileSync('mkfifo', pipes);
  const opened = pipes.map((pipe) => open(pipe, 'r'));
  const adding = new SPLockedJSONDB(fname).add('a', 1);
  await new Promise((resolve) => setTimeout(resolve, 1300));
  const writers = pipes.map((pipe) => openSync(pipe, 'r+'));
  await adding;
  for (const fd of writers) closeSync(fd);
  for (const file of await Promise.all(opened)) await file.close();
  createDebug.disable();
  log.mockRestore();
  expect(lines.join('\n')).toMatch(/waiting for 1\d{3} ms for the flush of .*db\.json/);
});
