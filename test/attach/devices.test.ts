import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { waitForDevices } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  return { ...fs, existsSync: vi.fn(fs.existsSync) };
});
/** What the tests wait for at most: far more than it takes. */
const LONG = 4000;

const path = useTempDir();
const dir = () => path('storpool');
beforeEach(() => {
  mkdirSync(dir());
  vi.mocked(existsSync).mockClear();
});

const appear = (...names: string[]) => {
  for (const name of names) symlinkSync('/dev/null', path(`storpool/${name}`));
};
const soon = (fn: () => void, ms = 20) => void setTimeout(fn, ms);
const wait = async (names: string[], timeout = LONG, signal?: AbortSignal) =>
  [...(await waitForDevices(dir(), names, { timeout, signal }))].sort();

describe('waitForDevices() finds', () => {
  test('nothing where nothing is asked for, without a look', async () => {
    expect(await wait([])).toEqual([]);
    expect(existsSync).not.toHaveBeenCalled();
  });

  test('devices that are there, with one look', async () => {
    appear('a', 'b', 'c');
    expect(await wait(['a', 'c', 'a'])).toEqual(['a', 'c']);
    expect(existsSync).toHaveBeenCalledTimes(2);
  });

  test('devices that come one after the other', async () => {
    appear('a');
    soon(() => appear('b'), 10);
    soon(() => appear('c'), 30);
    expect(await wait(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });

  test.each([0, 30])('those that are there when %d ms are over', async (timeout) => {
    appear('a', 'x');
    expect(await wait(['a', 'b'], timeout)).toEqual(['a']);
  });

  test('a plain file, but no link that leads nowhere', async () => {
    writeFileSync(path('storpool/a'), '');
    symlinkSync(path('nowhere'), path('storpool/b'));
    expect(await wait(['a', 'b'], 30)).toEqual(['a']);
  });

  test('a device that comes after the link to it', async () => {
    symlinkSync(path('sp-0'), path('storpool/a'));
    soon(() => writeFileSync(path('sp-0'), ''));
    expect(await wait(['a'])).toEqual(['a']);
  });

  test('a device in a directory that is not there yet, or that another one takes the place of', async () => {
    rmSync(dir(), { recursive: true });
    soon(() => {
      mkdirSync(dir());
      soon(() => appear('a'));
    });
    expect(await wait(['a'])).toEqual(['a']);
    const waited = wait(['b']);
    renameSync(dir(), path('old'));
    mkdirSync(dir());
    appear('b');
    expect(await waited).toEqual(['b']);
  });

  test.each(['a missing directory', 'a file in its place'])('nothing in %s', async (what) => {
    rmSync(dir(), { recursive: true });
    if (what.startsWith('a file')) writeFileSync(dir(), '');
    expect(await wait(['a'], 30)).toEqual([]);
  });
});

describe('a signal', () => {
  test('that is aborted ends the wait before it begins', async () => {
    appear('a');
    const reason = new Error('enough');
    for (const names of [['a'], []]) {
      await expect(wait(names, LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    }
    expect(existsSync).not.toHaveBeenCalled();
  });

  test('ends the wait on the way', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    soon(() => controller.abort(reason));
    await expect(wait(['a'], 60_000, controller.signal)).rejects.toBe(reason);
  });
});

describe('under fake timers', () => {
  test.each([
    ['of all kinds', undefined],
    ['of setTimeout alone', ['setTimeout' as const, 'clearTimeout' as const]],
  ])('%s the wait ends when its time is up, and no earlier', async (_label, toFake) => {
    vi.useFakeTimers(toFake && { toFake });
    try {
      let ended = false;
      const waited = wait(['a'], 10_000).finally(() => {
        ended = true;
      });
      await vi.advanceTimersByTimeAsync(9999);
      expect(ended).toBe(false);
      await vi.advanceTimersByTimeAsync(1);
      expect(await waited).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });

  test('it looks every 10 ms, without an end if there is none', async () => {
    vi.useFakeTimers();
    try {
      const waited = wait(['a'], Number.POSITIVE_INFINITY);
      await vi.advanceTimersByTimeAsync(100_000);
      expect(existsSync).toHaveBeenCalledTimes(10_001);
      appear('a');
      await vi.advanceTimersByTimeAsync(10);
      expect(await waited).toEqual(['a']);
    } finally {
      vi.useRealTimers();
    }
  });
});
