// Calls of one object that wait for the lock at the same time share one hold of it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SPLockedJSONDB, type WithLockOptions } from '../../../src/index.js';
import { heldByAnother } from '../../lib/held-by-another.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { systemError, tamperWithDisk } from '../file/tampered-disk.js';

class SharedDB extends SPLockedJSONDB {
  shared<T>(fn: (hold: object) => Promise<T>, options?: WithLockOptions): Promise<T> {
    return this.withSharedLock(fn, options);
  }
  check(): Promise<void> {
    return this.checkLock();
  }
}

const path = useTempDir();
let fname: string;
let db: SharedDB;
let mend: () => void = () => undefined;
beforeEach(() => {
  fname = path('db.json');
  writeFileSync(fname, '{}');
  db = new SharedDB(fname);
});
afterEach(() => {
  mend();
  vi.useRealTimers();
});

const onDisk = () => JSON.parse(readFileSync(fname, 'utf8'));
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const isFree = () => !existsSync(`${fname}.lock`) && !existsSync(`${fname}.holder`);
const codeOf = (error: { code: string }) => error.code;

describe('who shares a hold', () => {
  test.each([null, undefined])('a call that rejects with %s fails no other', async (reason) => {
    const outcomes = await Promise.allSettled([
      db.shared(() => Promise.reject(reason)),
      db.add('a', 1),
      db.shared(async () => 'done'),
    ]);
    expect(outcomes).toEqual([
      { status: 'rejected', reason },
      { status: 'fulfilled', value: undefined },
      { status: 'fulfilled', value: 'done' },
    ]);
    expect(onDisk()).toEqual({ a: 1 });
  });

  test('calls that wait at the same time, one after the other', async () => {
    const log: string[] = [];
    const holds = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        db.shared(async (hold) => {
          log.push(`${name} in`);
          await wait(2);
          log.push(`${name} out`);
          return hold;
        }),
      ),
    );
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out', 'c in', 'c out']);
    expect(new Set(holds).size).toBe(1);
    expect(isFree()).toBe(true);
  });

  test('calls that come while another is served share the next one', async () => {
    const holds: object[] = [];
    let letGo = () => {};
    const allHaveCome = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const call = () =>
      db.shared(async (hold) => {
        holds.push(hold);
        await allHaveCome;
      });
    const calls = [call()];
    while (holds.length === 0) await wait(1);
    for (let nr = 0; nr < 5; nr++) {
      calls.push(call());
      await wait(2);
    }
    letGo();
    await Promise.all(calls);
    expect(holds).toHaveLength(6);
    expect(new Set(holds.slice(1)).size).toBe(1);
    expect(holds[0]).not.toBe(holds[1]);
  });

  test('nobody who came after a plain withLock() gets in before it', async () => {
    const log: string[] = [];
    const say = (what: string) => async () => {
      log.push(what);
    };
    await Promise.all([
      db.shared(say('1')),
      db.shared(say('2')),
      db.withLock(say('plain')),
      db.shared(say('3')),
    ]);
    expect(log).toEqual(['1', '2', 'plain', '3']);
  });

  test('inside of withLock() a call joins that', async () => {
    await db.withLock(async () => {
      await db.shared(() => db.add('a', 1));
      expect(existsSync(`${fname}.lock`)).toBe(true);
      expect(await db.get()).toEqual({ a: 1 });
    });
    expect(isFree()).toBe(true);
  });

  test('what one has left running locks anew', async () => {
    let floating: Promise<void> | undefined;
    const log: string[] = [];
    await Promise.all([
      db.shared(async () => {
        floating = wait(5)
          .then(() => db.add('late', 1))
          .then(() => void log.push('late'));
      }),
      db.shared(async () => {
        await wait(30);
        log.push('second');
      }),
    ]);
    await floating;
    expect(log).toEqual(['second', 'late']);
  });
});

describe('each call has', () => {
  test('its own error', async () => {
    const outcomes = await Promise.allSettled([
      db.shared(async () => 1),
      db.shared(async () => Promise.reject(new RangeError('mine'))),
      db.shared(async () => 3),
    ]);
    expect(outcomes).toMatchObject([{ value: 1 }, { reason: { message: 'mine' } }, { value: 3 }]);
    expect(isFree()).toBe(true);
  });

  test('its own signal and timeout, which leave the others alone', async () => {
    const giveBack = await heldByAnother(fname);
    const controller = new AbortController();
    const calls = Promise.allSettled([
      db.shared(async () => 'never', { signal: controller.signal }),
      db.shared(async () => 'never', { timeout: 20 }),
      db.shared(async () => 'in'),
    ]);
    controller.abort(new Error('enough'));
    await wait(40);
    await giveBack();
    expect(await calls).toMatchObject([
      { reason: { message: 'enough' } },
      {
        reason: {
          code: 'ELOCKED',
          message: expect.stringMatching(/db\.json could not be locked within 20 ms/),
        },
      },
      { value: 'in' },
    ]);
  });

  test('its own asynchronous context', async () => {
    const caller = new AsyncLocalStorage<string>();
    const call = (name: string) => caller.run(name, () => db.shared(async () => caller.getStore()));
    expect(await Promise.all([call('first'), call('second')])).toEqual(['first', 'second']);
  });

  test('the holds of other files that it is inside of', async () => {
    writeFileSync(path('other.json'), '{"of":"mine"}');
    const other = new SPLockedJSONDB(path('other.json'));
    const first = db.shared(() => wait(5));
    const second = other.withLock(() => db.shared(() => other.get({ timeout: 0 })));
    expect(await second).toEqual({ of: 'mine' });
    await first;
  });
});

test.each([
  ['in the same turn', (again: () => void) => again()],
  ['when the first has failed', (again: () => void, first: Promise<unknown>) => first.catch(again)],
])('who calls again %s after an abort is not aborted with it', async (_when, then) => {
  const giveBack = await heldByAnother(fname);
  const controller = new AbortController();
  const first = db.shared(async () => 'never', { signal: controller.signal });
  controller.abort(new Error('enough'));
  const second = new Promise((resolve) => then(() => resolve(db.shared(async () => 'in')), first));
  await expect(first).rejects.toThrow('enough');
  await giveBack();
  expect(await second).toBe('in');
});

test('a signal that is aborted already, and a file that is not there', async () => {
  const signal = AbortSignal.abort(new Error('before'));
  await expect(db.shared(async () => 1, { signal })).rejects.toThrow('before');
  const missing = new SharedDB(path('missing.json'));
  const calls = [missing.shared(async () => 1), missing.add('a', 1), missing.get()];
  for (const outcome of await Promise.allSettled(calls)) {
    expect(outcome).toMatchObject({ reason: { code: 'ENOENT' } });
  }
});

test('when the lock is lost in one of them, those who are left get one of their own', async () => {
  const directory = `${fname}.lock`;
  const slow = new SharedDB(fname, { timeout: 3000 });
  const [first, second] = await Promise.allSettled([
    slow.shared(async () => {
      await slow.get();
      // As plain proper-lockfile does with a directory that it takes for stale.
      rmSync(directory, { recursive: true });
      mkdirSync(path('between'));
      mkdirSync(directory);
      writeFileSync(fname, '{"theirs":1}');
      setTimeout(() => rmSync(directory, { recursive: true, force: true }), 50);
      await slow.check();
    }),
    slow.shared(() => slow.get()),
  ]);
  expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ECOMPROMISED' } });
  expect(second).toMatchObject({ status: 'fulfilled', value: { theirs: 1 } });
});

test('the event loop goes round between them, also under fake timers', async () => {
  const { setImmediate } = await vi.importActual<typeof import('node:timers')>('node:timers');
  vi.useFakeTimers();
  let turns = 0;
  let counting = true;
  const count = () => {
    turns++;
    if (counting) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(Array.from({ length: 20 }, () => db.shared(() => db.check())));
  counting = false;
  expect(turns).toBeGreaterThan(15);
});

describe('changes', () => {
  /** Counts the times that something is put into the file. */
  function countWrites(): () => number {
    let writes = 0;
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.truncate' && where === fname) writes++;
      return undefined;
    });
    return () => writes;
  }

  test('that wait at the same time are one write', async () => {
    const writes = countWrites();
    await Promise.all(Array.from({ length: 64 }, (_, nr) => db.add(`k${nr}`, nr)));
    expect(Object.keys(onDisk())).toHaveLength(64);
    expect(writes()).toBeLessThanOrEqual(4);
  });

  test('are made in the order in which they came, with what is between them', async () => {
    const [, , seen] = await Promise.all([
      db.add('a', 1),
      db.add('b', 1),
      db.shared(() => db.get()),
      db.add('a', 2),
      db.removeKeys(['b', 'nowhere']),
    ]);
    expect(seen).toEqual({ a: 1, b: 1 });
    expect(onDisk()).toEqual({ a: 2 });
  });

  test('are acknowledged when they are on the disk, and all fail with the write', async () => {
    mend = tamperWithDisk(({ name, path: where }) => {
      if (name === 'file.datasync' && where === fname) throw systemError('EIO');
      return undefined;
    });
    const codes = await Promise.all(['a', 'b', 'c'].map((key) => db.add(key, 1).catch(codeOf)));
    expect(codes).toEqual(['EIO', 'EIO', 'EIO']);
  });

  test('that make no difference write nothing, however the file is formatted', async () => {
    writeFileSync(fname, '{ "a": 1 }');
    const writes = countWrites();
    await Promise.all([db.remove('b'), db.removeKeys(['c'])]);
    expect(writes()).toBe(0);
  });
});
