import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { waitForDevices } from '../../src/attach/devices.js';

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  return { ...fs, readdirSync: vi.fn(fs.readdirSync) };
});
/** What the tests wait for at most: far more than it takes. */
const LONG = 4000;

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devices-'));
  dir = join(root, 'storpool');
  mkdirSync(dir);
  vi.mocked(readdirSync).mockClear();
});
afterEach(() => {
  vi.mocked(readdirSync).mockReset();
  rmSync(root, { recursive: true });
});

const appear = (...names: string[]) => {
  for (const name of names) symlinkSync('/dev/null', join(dir, name));
};
const soon = (fn: () => void, ms = 20) => void setTimeout(fn, ms);
const failing = (code: string) => {
  throw Object.assign(new Error(code), { code });
};
const wait = async (names: string[], timeout = LONG, signal?: AbortSignal) =>
  [...(await waitForDevices(dir, names, { timeout, signal }))].sort();

describe('waitForDevices', () => {
  test('no names: nothing to wait for, nothing to list', async () => {
    expect(await wait([])).toEqual([]);
    expect(readdirSync).not.toHaveBeenCalled();
  });

  test('devices that are there', async () => {
    appear('a', 'b', 'c');
    expect(await wait(['a', 'c', 'a'])).toEqual(['a', 'c']);
  });

  test('devices that come one after the other', async () => {
    appear('a');
    soon(() => appear('b'), 10);
    soon(() => appear('other'), 15);
    soon(() => appear('c'), 30);
    expect(await wait(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });

  test('those that are there when the time is up', async () => {
    appear('a', 'x');
    expect(await wait(['a', 'b'], 30)).toEqual(['a']);
  });

  test('no time at all: one look', async () => {
    appear('a');
    expect(await wait(['a', 'b'], 0)).toEqual(['a']);
    expect(readdirSync).toHaveBeenCalledTimes(1);
  });

  test('a plain file counts, a link that leads nowhere does not', async () => {
    writeFileSync(join(dir, 'a'), '');
    symlinkSync(join(root, 'nowhere'), join(dir, 'b'));
    expect(await wait(['a', 'b'], 30)).toEqual(['a']);
  });

  test('a device that comes after the link to it', async () => {
    symlinkSync(join(root, 'sp-0'), join(dir, 'a'));
    soon(() => writeFileSync(join(root, 'sp-0'), ''));
    expect(await wait(['a'])).toEqual(['a']);
  });

  test('a folder that is not there yet', async () => {
    rmSync(dir, { recursive: true });
    soon(() => {
      mkdirSync(dir);
      soon(() => appear('a'));
    });
    expect(await wait(['a'])).toEqual(['a']);
  });

  test('a folder that never comes', async () => {
    rmSync(dir, { recursive: true });
    expect(await wait(['a'], 30)).toEqual([]);
  });

  test('a folder that another one takes the place of', async () => {
    const waited = wait(['a']);
    renameSync(dir, join(root, 'old'));
    mkdirSync(dir);
    appear('a');
    expect(await waited).toEqual(['a']);
  });

  test('a file in the place of the folder', async () => {
    rmSync(dir, { recursive: true });
    writeFileSync(dir, '');
    expect(await wait(['a'], 30)).toEqual([]);
  });

  test('a folder that cannot be listed: the devices in it can be found all the same', async () => {
    vi.mocked(readdirSync).mockImplementation(() => failing('EACCES'));
    appear('a');
    expect(await wait(['a', 'b'], 30)).toEqual(['a']);
  });

  test('a device whose link was there, while other things come and go all the time', async () => {
    symlinkSync(join(root, 'sp-0'), join(dir, 'a'));
    const other = join(dir, 'other');
    const busy = setInterval(() => {
      rmSync(other, { force: true });
      writeFileSync(other, '');
    }, 30);
    soon(() => writeFileSync(join(root, 'sp-0'), ''));
    const start = performance.now();
    expect(await wait(['a'])).toEqual(['a']);
    clearInterval(busy);
    expect(performance.now() - start).toBeLessThan(LONG / 4);
  });

  test('what is there already takes one look', async () => {
    appear('a');
    expect(await wait(['a'])).toEqual(['a']);
    expect(readdirSync).toHaveBeenCalledTimes(1);
  });

  test('two folders are looked at independently', async () => {
    const other = join(root, 'other');
    mkdirSync(other);
    const elsewhere = waitForDevices(other, ['a'], { timeout: 30 });
    soon(() => appear('a'));
    expect(await wait(['a'])).toEqual(['a']);
    expect(await elsewhere).toEqual(new Set());
  });

  test('is aborted before it begins', async () => {
    appear('a');
    const reason = new Error('enough');
    await expect(wait(['a'], LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(wait([], LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(readdirSync).not.toHaveBeenCalled();
  });

  test('is aborted on the way', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    soon(() => controller.abort(reason));
    await expect(wait(['a'], 60_000, controller.signal)).rejects.toBe(reason);
  });
});

describe('under fake timers', () => {
  afterEach(() => void vi.useRealTimers());

  test.each([
    ['of all kinds', undefined],
    ['of setTimeout alone', ['setTimeout' as const, 'clearTimeout' as const]],
  ])('%s the wait ends when its time is up, and no earlier', async (_label, toFake) => {
    vi.useFakeTimers(toFake && { toFake });
    let ended = false;
    const waited = wait(['a'], 10_000).finally(() => {
      ended = true;
    });
    await vi.advanceTimersByTimeAsync(9999);
    expect(ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(await waited).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a wait without an end takes what comes', async () => {
    vi.useFakeTimers();
    const waited = wait(['a'], Number.POSITIVE_INFINITY);
    await vi.advanceTimersByTimeAsync(1000);
    appear('a');
    await vi.advanceTimersByTimeAsync(1000);
    expect(await waited).toEqual(['a']);
  });

  test('it is looked for every 10 ms for two seconds, then every 50 ms, and no oftener for 300 waits', async () => {
    vi.useFakeTimers();
    const waits = Array.from({ length: 300 }, (_, at) => wait([`missing-${at}`, 'a'], 10_000));
    vi.mocked(readdirSync).mockClear();
    await vi.advanceTimersByTimeAsync(2000);
    expect(vi.mocked(readdirSync).mock.calls.length).toBeLessThanOrEqual(200);
    vi.mocked(readdirSync).mockClear();
    await vi.advanceTimersByTimeAsync(7999);
    expect(vi.mocked(readdirSync).mock.calls.length).toBeLessThanOrEqual(160);
    await vi.advanceTimersByTimeAsync(1);
    expect(await Promise.all(waits)).toEqual(waits.map(() => []));
    expect(vi.getTimerCount()).toBe(0);
  });

  test('a wait under fake timers that nobody finished does not hold up a later one', async () => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const abandoned = wait(['b'], 10_000, controller.signal);
    vi.useRealTimers();
    soon(() => appear('a'));
    expect(await wait(['a'])).toEqual(['a']);
    controller.abort(new Error('enough'));
    await expect(abandoned).rejects.toThrow('enough');
  });
});
