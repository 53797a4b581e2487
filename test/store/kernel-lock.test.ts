import { writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { constants } from 'node:os';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { useTempDir } from '../lib/temp-dir.js';

const path = useTempDir();
const handles: FileHandle[] = [];
beforeEach(() => {
  writeFileSync(path('db.json'), '{}');
  vi.resetModules();
});
afterEach(async () => {
  vi.doUnmock('koffi');
  vi.unstubAllEnvs();
  await Promise.all(handles.splice(0).map((handle) => handle.close()));
});

async function opened(): Promise<FileHandle> {
  const handle = await open(path('db.json'), 'r+');
  handles.push(handle);
  return handle;
}

const withoutKoffi = () =>
  vi.doMock('koffi', () => {
    throw new Error('koffi is not installed');
  });
const load = async () => {
  const { loadKernelLock, KernelLockUnavailable } = await import('../../src/store/kernel-lock.js');
  return { tryKernelLock: await loadKernelLock(), KernelLockUnavailable };
};

describe.each([
  ['koffi', () => undefined],
  ['the flock program', withoutKoffi],
])('through %s', (_name, arrange) => {
  beforeEach(arrange);

  test('one opening of the file at a time has the lock, until it is closed', async () => {
    const { tryKernelLock } = await load();
    const first = await opened();
    const second = await opened();
    expect(tryKernelLock(first.fd)).toBe('ours');
    expect(tryKernelLock(second.fd)).toBe('taken');
    await first.close();
    expect(tryKernelLock(second.fd)).toBe('ours');
  });

  test('a descriptor that is none is an error, not a reason to go on without the lock', async () => {
    const { tryKernelLock } = await load();
    expect(() => tryKernelLock(99_999)).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });
});

describe('a file system that cannot lock', () => {
  test('through koffi', async () => {
    vi.doMock('koffi', () => ({
      default: { load: () => ({ func: () => () => -1 }), errno: () => constants.errno.ENOLCK },
    }));
    const { tryKernelLock, KernelLockUnavailable } = await load();
    const { fd } = await opened();
    expect(() => tryKernelLock(fd)).toThrow(KernelLockUnavailable);
    expect(() => tryKernelLock(fd)).toThrow('ENOLCK');
  });

  const program = (text: string) => {
    withoutKoffi();
    writeFileSync(path('flock'), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    vi.stubEnv('PATH', `${path()}:${process.env['PATH']}`);
  };

  test('through the flock program', async () => {
    program('echo "flock: 3: No locks available" >&2; exit 71');
    const { tryKernelLock, KernelLockUnavailable } = await load();
    const { fd } = await opened();
    expect(() => tryKernelLock(fd)).toThrow(KernelLockUnavailable);
    expect(() => tryKernelLock(fd)).toThrow('No locks available');
  });

  test.each([
    ['an odd status', 'echo "flock: cannot fork" >&2; exit 71', /exited with 71 \(flock: cannot fork\)/],
    ['the status of a program that cannot be loaded', 'exit 127', /exited with 127/],
  ])('%s is an error, not a reason to go on without the lock', async (_what, text, message) => {
    program(text);
    const { tryKernelLock, KernelLockUnavailable } = await load();
    const { fd } = await opened();
    expect(() => tryKernelLock(fd)).not.toThrow(KernelLockUnavailable);
    expect(() => tryKernelLock(fd)).toThrow(
      expect.objectContaining({ code: 'EIO', message: expect.stringMatching(message) }),
    );
  });

  test('a flock program that somebody killed is another matter', async () => {
    program('kill -TERM $$');
    const { tryKernelLock } = await load();
    const { fd } = await opened();
    expect(() => tryKernelLock(fd)).toThrow(
      expect.objectContaining({ code: 'EINTR', message: expect.stringContaining('SIGTERM') }),
    );
  });
});

test('with neither of them there is no kernel lock', async () => {
  withoutKoffi();
  vi.stubEnv('PATH', path());
  const { tryKernelLock, KernelLockUnavailable } = await load();
  const { fd } = await opened();
  expect(() => tryKernelLock(fd)).toThrow(KernelLockUnavailable);
  expect(() => tryKernelLock(fd)).toThrow('there is no flock program');
});

describe('what AttachDB users see of it', () => {
  test('auto: a warning once, and the lock directory alone', async () => {
    withoutKoffi();
    vi.stubEnv('PATH', path());
    const { AttachDB } = await import('../../src/index.js');
    const log = { warn: vi.fn() };
    const db = new AttachDB({ log, fname: path('db.json') });
    await db.add('a', { volume: 'v', rights: 1 });
    await db.remove('a');
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/Cannot take the kernel lock on .*db\.json: there is no flock program.*koffi/),
    );
  });

  test('required: an error that says what to install', async () => {
    withoutKoffi();
    vi.stubEnv('PATH', path());
    const { SPLockedJSONDB } = await import('../../src/index.js');
    const db = new SPLockedJSONDB(path('db.json'), { kernelLock: 'required' });
    await expect(db.get()).rejects.toMatchObject({
      name: 'SPLockedFileError',
      code: 'ENOTSUP',
      message: expect.stringMatching(/required: there is no flock program; install the npm package koffi/),
    });
  });

  test('off: nobody is asked', async () => {
    withoutKoffi();
    vi.stubEnv('PATH', path());
    const { SPLockedJSONDB } = await import('../../src/index.js');
    const warned = vi.spyOn(process, 'emitWarning');
    expect(await new SPLockedJSONDB(path('db.json'), { kernelLock: 'off' }).get()).toEqual({});
    expect(warned).not.toHaveBeenCalled();
  });
});
