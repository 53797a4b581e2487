import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, statSync, utimesSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { describe, expect, test, vi } from 'vitest';
import { describeHolder } from '../../src/index.js';
import { disk } from '../../src/store/disk.js';
import { loadKernelLock } from '../../src/store/kernel-lock.js';
import { directory, fname, make, useLockedFile } from './quiet-db.js';
import { systemError } from './tampered-disk.js';

useLockedFile();

/** What `/proc/locks` says, and what `/proc/PID/cmdline` does. */
function proc(locks: string | Error, commandLine: string | Error = 'python3\0/usr/bin/nova-compute\0'): void {
  vi.spyOn(disk, 'readSystemFile').mockImplementation((where) => {
    const content = where === '/proc/locks' ? locks : commandLine;
    if (content instanceof Error) throw content;
    return content;
  });
}

const hex = (number: number) => number.toString(16).padStart(2, '0');
const here = () => `${hex(statSync(fname).dev >> 8)}:${hex(statSync(fname).dev & 0xff)}`;
const lineOf = (pid: number, device = here()) =>
  `1: FLOCK  ADVISORY  WRITE ${pid} ${device}:${statSync(fname).ino} 0 EOF\n`;

describe('describeHolder()', () => {
  test('names another process with its command line', async () => {
    const child = spawn('flock', [fname, 'sh', '-c', 'echo in; read line'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(child.stdout, 'data');
    expect(describeHolder(fname)).toBe(
      `process ${child.pid} has the kernel lock (flock ${fname} sh -c echo in; read line)`,
    );
    child.stdin.end();
    await once(child, 'exit');
  });

  test('names this process', async () => {
    const holder = await open(fname, 'r+');
    expect((await loadKernelLock())(holder.fd)).toBe('ours');
    expect(describeHolder(fname)).toBe('another call of this process has the kernel lock');
    await holder.close();
  });

  test('takes the lock on this device, not on another with the same inode', () => {
    proc(lineOf(11, 'fe:fe') + lineOf(22));
    expect(describeHolder(fname)).toBe('process 22 has the kernel lock (python3 /usr/bin/nova-compute)');
    proc(lineOf(11, 'fe:fe'));
    expect(describeHolder(fname)).toMatch(/^process 11 seems to have the kernel lock/);
  });

  test('says that the process has ended, as the flock program has', () => {
    proc(lineOf(22), systemError('ENOENT'));
    expect(describeHolder(fname)).toMatch(/process 22 has the kernel lock \(it has ended: the flock program/);
  });

  test('says what it cannot know', () => {
    proc('');
    expect(describeHolder(fname)).toMatch(/^no process that can be seen from here has the kernel lock/);
    proc(systemError('EACCES'));
    expect(describeHolder(fname)).toMatch(/^it cannot be told who has the kernel lock \(EACCES/);
  });

  test('says how old the lock directory is', () => {
    proc('');
    mkdirSync(directory);
    const ago = new Date(Date.now() - 7000);
    utimesSync(directory, ago, ago);
    expect(describeHolder(fname)).toMatch(
      /; .*db\.json\.lock was refreshed 7 s ago, by a process that cannot be told; after 10 s without a refresh it is taken over$/,
    );
  });
});

test('get() that times out says who has the lock', async () => {
  const holder = await open(fname, 'r+');
  expect((await loadKernelLock())(holder.fd)).toBe('ours');
  await expect(make({ timeout: 40 }).get()).rejects.toMatchObject({
    code: 'ELOCKED',
    message: expect.stringMatching(
      /db\.json could not be locked within 40 ms: another call of this process has/,
    ),
  });
  await holder.close();
});

test('describeHolder() says that the clock was set back, if the lock directory is of the future', () => {
  proc('');
  mkdirSync(directory);
  const later = new Date(Date.now() + 60_000);
  utimesSync(directory, later, later);
  expect(describeHolder(fname)).toMatch(
    /was refreshed (59|60) s in the future \(was the clock set back\?\)/u,
  );
});

test('describeHolder() shortens a long command line', () => {
  proc(lineOf(22), `node ${'x'.repeat(500)}`);
  expect(describeHolder(fname)).toMatch(/\(node x{195}…\)$/u);
});
