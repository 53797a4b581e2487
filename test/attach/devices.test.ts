import { EventEmitter } from 'node:events';
import {
  type FSWatcher,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { waitForDevices } from '../../src/attach/devices.js';
import { WatchedDirectory } from '../../src/attach/watched-directory.js';

vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof import('node:fs')>();
  return { ...fs, watch: vi.fn(fs.watch), readdirSync: vi.fn(fs.readdirSync) };
});
/** What the tests wait for at most: far more than it takes. */
const LONG = 4000;

let root: string;
let dir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'devices-'));
  dir = join(root, 'storpool');
  mkdirSync(dir);
  vi.mocked(watch).mockClear();
  vi.mocked(readdirSync).mockClear();
});
afterEach(() => {
  vi.mocked(watch).mockReset();
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

/** A watcher that tells what the test wants it to. */
function fakeWatcher() {
  const watcher = Object.assign(new EventEmitter(), { close: vi.fn() });
  let listener: (event: string, name: string | null) => void = () => undefined;
  vi.mocked(watch).mockImplementation(((_dir: string, _options: object, given: typeof listener) => {
    listener = given;
    return watcher as unknown as FSWatcher;
  }) as unknown as typeof watch);
  return { watcher, tell: (name: string | null) => listener('rename', name) };
}

describe('waitForDevices', () => {
  test('no names: nothing to wait for, nothing to watch', async () => {
    expect(await wait([])).toEqual([]);
    expect(watch).not.toHaveBeenCalled();
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
    await expect.poll(() => vi.mocked(watch).mock.calls.length, { interval: 5 }).toBe(1);
    renameSync(dir, join(root, 'old'));
    mkdirSync(dir);
    await expect.poll(() => vi.mocked(watch).mock.calls.length, { interval: 5 }).toBe(2);
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

  test('a system that has no watches left: it is looked at often', async () => {
    vi.mocked(watch).mockImplementation(() => failing('ENOSPC'));
    const waited = wait(['a']);
    await expect.poll(() => vi.mocked(readdirSync).mock.calls.length, { interval: 5 }).toBeGreaterThan(2);
    appear('a');
    expect(await waited).toEqual(['a']);
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

  test('a watch that breaks is begun anew', async () => {
    const { watcher } = fakeWatcher();
    const waited = wait(['a']);
    await expect.poll(() => watcher.listenerCount('error'), { interval: 5 }).toBe(1);
    watcher.emit('error', new Error('broken'));
    expect(watcher.close).toHaveBeenCalledTimes(1);
    await expect.poll(() => vi.mocked(watch).mock.calls.length, { interval: 5 }).toBe(2);
    appear('a');
    expect(await waited).toEqual(['a']);
  });

  test('a watch that says nothing does no harm', async () => {
    fakeWatcher();
    soon(() => appear('a'));
    expect(await wait(['a'])).toEqual(['a']);
  });

  test('the watch ends with the wait, however that ends', async () => {
    const { watcher } = fakeWatcher();
    soon(() => appear('a'));
    await wait(['a']);
    expect(watcher.close).toHaveBeenCalledTimes(1);
    await wait(['b'], 5);
    expect(watcher.close).toHaveBeenCalledTimes(2);
    await wait(['b'], LONG, AbortSignal.timeout(1)).catch(() => undefined);
    expect(watcher.close).toHaveBeenCalledTimes(3);
  });

  test('what is there already needs no watch', async () => {
    appear('a');
    expect(await wait(['a'])).toEqual(['a']);
    expect(watch).not.toHaveBeenCalled();
  });

  test('is aborted before it begins', async () => {
    appear('a');
    const reason = new Error('enough');
    await expect(wait(['a'], LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    await expect(wait([], LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(watch).not.toHaveBeenCalled();
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
});

describe('WatchedDirectory', () => {
  test('tells which names changed, and each change once', async () => {
    const { tell } = fakeWatcher();
    const watched = new WatchedDirectory(dir);
    expect(await watched.ensure()).toBe(true);
    tell('a');
    tell('b');
    tell('a');
    expect(await watched.changeOr(LONG)).toEqual(new Set(['a', 'b']));
    expect(await watched.changeOr(1)).toBeUndefined();
    tell('c');
    expect(await watched.changeOr(LONG)).toEqual(new Set(['c']));
    watched.close();
  });

  test('a change ends the wait', async () => {
    const { tell } = fakeWatcher();
    const watched = new WatchedDirectory(dir);
    await watched.ensure();
    const changed = watched.changeOr(LONG);
    tell('a');
    expect(await changed).toEqual(new Set(['a']));
    watched.close();
  });

  test('a change of which the system does not know the name: everything is to be looked at', async () => {
    const { tell } = fakeWatcher();
    const watched = new WatchedDirectory(dir);
    await watched.ensure();
    const changed = watched.changeOr(LONG);
    tell(null);
    expect(await changed).toBeUndefined();
    watched.close();
  });

  test('watches once for as long as the folder is the same', async () => {
    const watched = new WatchedDirectory(dir);
    expect(await watched.ensure()).toBe(true);
    expect(await watched.ensure()).toBe(true);
    expect(watch).toHaveBeenCalledTimes(1);
    renameSync(dir, join(root, 'old'));
    expect(await watched.ensure()).toBe(false);
    mkdirSync(dir);
    expect(await watched.ensure()).toBe(true);
    expect(watch).toHaveBeenCalledTimes(2);
    watched.close();
    watched.close();
  });

  test('a wait that is aborted', async () => {
    const watched = new WatchedDirectory(dir);
    const reason = new Error('enough');
    await expect(watched.changeOr(LONG, AbortSignal.abort(reason))).rejects.toBe(reason);
    const controller = new AbortController();
    const waited = watched.changeOr(LONG, controller.signal);
    controller.abort(reason);
    await expect(waited).rejects.toBe(reason);
  });

  test('a change from before the wait ends it at once, and nothing listens to the signal any more', async () => {
    const { tell } = fakeWatcher();
    const watched = new WatchedDirectory(dir);
    await watched.ensure();
    const { signal } = new AbortController();
    const remove = vi.spyOn(signal, 'removeEventListener');
    tell('a');
    expect(await watched.changeOr(LONG, signal)).toEqual(new Set(['a']));
    expect(remove).toHaveBeenCalledTimes(1);
    watched.close();
  });
});
