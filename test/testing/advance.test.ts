// What guide/testing.md shows, as a user writes them: a shim whose methods call several things in a row.
import { pbkdf2 } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AttachDB, type AttachDBApi } from '../../src/index.js';
import { advanceUntilSettled, FakeStorPool } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

const VOLUME = 'os--volume-1';

/** A shim as Python has them, and one with the two calls. */
class Shim {
  readonly db: AttachDB;

  constructor(db: AttachDB) {
    this.db = db;
  }

  async addAndSync() {
    await this.db.add('r1', { volume: VOLUME, rights: 2 });
    return this.db.sync('r1');
  }

  attach() {
    return this.db.attach('r1', { volume: VOLUME, rights: 2 });
  }

  detach() {
    return this.db.detach('r1');
  }
}

const inDir = useTempDir();
let dir: string;
let fname: string;
const log = { warn: vi.fn() };

beforeEach(() => {
  dir = inDir();
  fname = join(dir, 'cache.json');
  writeFileSync(fname, '{}');
  log.warn.mockClear();
});

afterEach(() => {
  vi.useRealTimers();
});

const selections = [
  ['setTimeout and clearTimeout', { toFake: ['setTimeout', 'clearTimeout'] }],
  ['all timers', {}],
] as const;

describe.each(selections)('with %s', (_what, { ...selection }) => {
  const settled = <T>(call: Promise<T>) =>
    advanceUntilSettled(call, () => vi.advanceTimersToNextTimerAsync());

  beforeEach(() => {
    vi.useFakeTimers('toFake' in selection ? { toFake: [...selection.toFake] } : {});
  });

  describe('and a fake cluster', () => {
    let fake: FakeStorPool;
    let shim: Shim;

    beforeEach(async () => {
      const deviceDir = join(dir, 'dev');
      fake = await FakeStorPool.start({ volumes: [VOLUME], deviceDir, deviceDelay: 5000 });
      shim = new Shim(new AttachDB({ log, fname, deviceDir, overrideConfig: fake.config }));
    });

    afterEach(() => fake.close());

    test('a device that takes five seconds', async () => {
      const { attached } = await settled(shim.addAndSync());
      expect(attached).toMatchObject([{ device: shim.db.devicePath(VOLUME) }]);
      expect(await settled(shim.attach())).toMatchObject({ alreadyAttached: true });
    });

    test('attach(), and a volume that stays open for eleven attempts', async () => {
      await settled(shim.attach());
      fake.open(VOLUME);
      const before = fake.requests.length;
      expect(await settled(shim.detach())).toMatchObject({ outcome: 'forced' });
      const attempts = fake.requests.slice(before).filter(({ method }) => method === 'POST');
      expect(attempts).toHaveLength(11);
    });

    test('an API that is down for a while', async () => {
      fake.failNext('attachmentsList', 'reset', 5);
      expect(await settled(shim.attach())).toMatchObject({ device: shim.db.devicePath(VOLUME) });
      expect(log.warn).toHaveBeenCalledOnce();
      fake.failNext('attachmentsList', 'reset', 6);
      await expect(settled(shim.detach())).rejects.toMatchObject({ code: 'ECONNRESET' });
    });

    test('an API that does not answer, for the first time and in the end', async () => {
      fake.failNext('attachmentsList', 'hang');
      expect(await settled(shim.attach())).toMatchObject({ volume: VOLUME });
      fake.failNext('attachmentsList', 'hang', 6);
      await expect(settled(shim.attach())).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    });

    test('a slow disk does not use up the time for the lock', async () => {
      // Four threads do all that waits for the disk: these keep them busy for a second.
      const busy = Array.from(
        { length: 8 },
        () => new Promise((resolve) => pbkdf2('', '', 100_000, 64, 'sha512', resolve)),
      );
      const next = shim.db.add('r2', { volume: VOLUME, rights: 1 });
      await settled(Promise.all([shim.attach(), next, shim.db.withLock(() => 'ours')]));
      await Promise.all(busy);
    }, 30_000);
  });

  describe('and a mock', () => {
    const api = {
      attachmentsList: async () => [],
      volumesList: async () => [{ name: VOLUME }],
      snapshotsList: async () => [],
      volumesReassign: async () => ({ ok: true }),
    } satisfies AttachDBApi;

    test('a device that never comes', async () => {
      const shim = new Shim(
        new AttachDB({
          log,
          fname,
          deviceDir: dir,
          deviceTimeout: 3000,
          overrideConfig: { SP_OURID: '1' },
          api,
        }),
      );
      expect(await settled(shim.addAndSync())).toMatchObject({ own: { state: 'attached', device: null } });
      expect(log.warn).toHaveBeenCalledOnce();
      await expect(settled(shim.attach())).rejects.toMatchObject({ code: 'ENODEVICE' });
    });

    test('a call that fails before it waits', async () => {
      const shim = new Shim(new AttachDB({ log, fname, deviceDir: dir, overrideConfig: {}, api }));
      await expect(settled(shim.attach())).rejects.toMatchObject({ code: 'ENOCLIENTID' });
    });
  });
});

test('what moves the timers may fail', async () => {
  const never = new Promise(() => undefined);
  const advance = () => {
    throw new Error('no fake timers');
  };
  await expect(advanceUntilSettled(never, advance)).rejects.toThrow('no fake timers');
});

test('a call that never settles leaves the thread idle most of the time', async () => {
  const before = performance.eventLoopUtilization();
  const call = new Promise<string>((resolve) => setTimeout(resolve, 200, 'done'));
  expect(await advanceUntilSettled(call, () => undefined)).toBe('done');
  // Of this thread alone; a loop that never waits would be at 1.
  expect(performance.eventLoopUtilization(before).utilization).toBeLessThan(0.9);
});
