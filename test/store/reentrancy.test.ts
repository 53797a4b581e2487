import { AsyncLocalStorage } from 'node:async_hooks';
import { readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { queryObjects } from 'node:v8';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { SPLockedFile, SPLockedFileError } from '../../src/index.js';
import { Queue } from '../../src/store/queue.js';
import { fname, onDisk, useLockedFile } from './quiet-db.js';

const path = useLockedFile('{"a":1}');
let file: SPLockedFile;
beforeEach(() => {
  file = new SPLockedFile(fname);
});
const tick = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('withLock()', () => {
  test('gives what the function gives, and what it throws', async () => {
    expect(await file.withLock(() => 7)).toBe(7);
    expect(await file.withLock(async () => 8)).toBe(8);
    await expect(
      file.withLock(() => {
        throw new RangeError('mine');
      }),
    ).rejects.toThrow(RangeError);
    expect(readdirSync(path())).toEqual(['db.json']);
  });

  test('keeps other objects of this process out, in the order in which they came', async () => {
    const log: string[] = [];
    await Promise.all(
      ['first', 'second', 'third'].map((name) =>
        new SPLockedFile(fname).withLock(async () => {
          log.push(`${name} in`);
          await tick();
          log.push(`${name} out`);
        }),
      ),
    );
    expect(log).toEqual(['first in', 'first out', 'second in', 'second out', 'third in', 'third out']);
  });

  test('the same file by another name is the same file', async () => {
    symlinkSync(fname, path('link.json'));
    const log: string[] = [];
    const hold = (name: string) =>
      new SPLockedFile(path(name)).withLock(async () => {
        log.push('in');
        await tick();
        log.push('out');
      });
    await Promise.all([hold('db.json'), hold('link.json')]);
    expect(log).toEqual(['in', 'out', 'in', 'out']);
  });

  test('is re-entrant', async () => {
    await file.withLock(() => file.withLock(() => file.withLock(() => file.jsdump({ deep: true }))));
    expect(await file.jsload()).toEqual({ deep: true });
  });

  test('inside of the hold of another object, each is re-entrant by itself', async () => {
    writeFileSync(path('other.json'), '{"b":2}');
    const other = new SPLockedFile(path('other.json'));
    const deep = file.withLock(() =>
      other.withLock(async () => [
        await file.jsload(),
        await other.jsload(),
        await file.withLock(() => other.jsload({ timeout: 0 })),
      ]),
    );
    expect(await deep).toEqual([{ a: 1 }, { b: 2 }, { b: 2 }]);
  });

  test('those inside one hold go one after the other', async () => {
    const log: number[] = [];
    await file.withLock(() =>
      Promise.all(
        [1, 2, 3].map((one) =>
          file.withLock(async () => {
            log.push(one);
            await tick();
            log.push(-one);
          }),
        ),
      ),
    );
    expect(log).toEqual([1, -1, 2, -2, 3, -3]);
  });

  test('the lock is kept until those inside it have ended, awaited or not', async () => {
    const log: string[] = [];
    let floating: Promise<void> | undefined;
    await file.withLock(() => {
      floating = file.withLock(async () => {
        await tick();
        log.push('inside');
      });
    });
    log.push('released');
    await floating;
    expect(log).toEqual(['inside', 'released']);
  });

  test('a context that outlives its hold locks anew', async () => {
    let go: () => void = () => undefined;
    const released = new Promise<void>((resolve) => {
      go = resolve;
    });
    let floating: Promise<unknown> | undefined;
    await file.withLock(() => {
      floating = released.then(() => file.jsdump({ late: true }));
    });
    const log: string[] = [];
    const other = new SPLockedFile(fname).withLock(async () => {
      go();
      await tick();
      await tick();
      log.push('other done');
      expect(onDisk()).toBe('{"a":1}');
    });
    await Promise.all([other, floating?.then(() => log.push('late done'))]);
    expect(log).toEqual(['other done', 'late done']);
    expect(await file.jsload()).toEqual({ late: true });
  });

  test('a context that outlives a part of a hold is still inside of the rest', async () => {
    const impatient = new SPLockedFile(fname, { timeout: 50 });
    await impatient.withLock(async () => {
      let floating: Promise<void> | undefined;
      await impatient.withLock(() => {
        floating = tick().then(() => impatient.jsdump({ late: true }));
      });
      await floating;
    });
    expect(onDisk()).toBe('{"late":true}');
  });

  test('a file that another program replaced is not written to', async () => {
    const hold = file.withLock(async () => {
      expect(await file.jsload()).toEqual({ a: 1 });
      writeFileSync(path('new'), '{"new":1}');
      renameSync(path('new'), fname);
      await file.jsdump({ b: 2 });
    });
    await expect(hold).rejects.toMatchObject({
      code: 'ECOMPROMISED',
      message: expect.stringContaining('put a new file in its place'),
    });
    expect(onDisk()).toBe('{"new":1}');
    expect(readdirSync(path())).toEqual(['db.json']);
    expect(await file.jsload()).toEqual({ new: 1 });
  });

  test.each([Number.POSITIVE_INFINITY, 2 ** 31])('a timeout of %d is long, not short', async (timeout) => {
    const patient = new SPLockedFile(fname, { timeout });
    let isIn = false;
    let second: Promise<void> | undefined;
    await file.withLock(async () => {
      second = patient.withLock(() => {
        isIn = true;
      });
      await new Promise((resolve) => setTimeout(resolve, 40));
      expect(isIn).toBe(false);
    });
    await second;
    expect(isIn).toBe(true);
  });

  test('a failed attempt can be tried again', async () => {
    const impatient = new SPLockedFile(fname, { timeout: 30 });
    await file.withLock(async () => {
      const attempt = impatient.withLock(() => undefined);
      await expect(attempt).rejects.toThrow(SPLockedFileError);
      await expect(impatient.jsload()).rejects.toMatchObject({
        code: 'ELOCKED',
        message: expect.stringMatching(
          /db\.json could not be locked within 30 ms: other calls of this process come before this one/,
        ),
      });
    });
    expect(await impatient.withLock(() => 'in')).toBe('in');
  });

  test('a timeout of 0 does not wait, but takes what is free', async () => {
    const impatient = new SPLockedFile(fname, { timeout: 0 });
    expect(await impatient.jsload()).toEqual({ a: 1 });
    await file.withLock(() => expect(impatient.jsload()).rejects.toMatchObject({ code: 'ELOCKED' }));
  });

  test('the wait ends with the signal, and leaves no trace', async () => {
    const controller = new AbortController();
    await file.withLock(async () => {
      const waiting = new SPLockedFile(fname).withLock(() => 'never', { signal: controller.signal });
      controller.abort(new Error('shutting down'));
      await expect(waiting).rejects.toThrow('shutting down');
    });
    await expect(
      file.withLock(() => 'never', { signal: AbortSignal.abort(new Error('before')) }),
    ).rejects.toThrow('before');
    expect(await new SPLockedFile(fname).withLock(() => 'in')).toBe('in');
    expect(readdirSync(path())).toEqual(['db.json']);
  });

  test('one signal serves many waits, and nobody warns of a leak', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 20 }, () => new SPLockedFile(fname).jsload({ signal })));
    await tick();
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });

  test('a wait inside a hold has a limit, too', async () => {
    await file.withLock(async () => {
      const first = file.withLock(tick);
      await expect(file.withLock(() => 'never', { timeout: 0 })).rejects.toMatchObject({
        code: 'ELOCKED',
        message: expect.stringContaining('waiting for another call inside the same withLock()'),
      });
      await first;
    });
  });

  test('a wait inside a hold ends with the signal too', async () => {
    const controller = new AbortController();
    await file.withLock(async () => {
      const first = file.withLock(tick);
      const second = file.withLock(() => 'never', { signal: controller.signal });
      controller.abort(new Error('enough'));
      await expect(second).rejects.toThrow('enough');
      await first;
    });
  });
});

describe('what is over leaves nothing behind', () => {
  /** Each hold has a queue. */
  const count = (kind: new (...args: never[]) => object) => queryObjects(kind, { format: 'count' });

  test('many objects need no more of what Node.js keeps for every asynchronous step', async () => {
    await file.jsload();
    const before = count(AsyncLocalStorage);
    for (let n = 0; n < 20; n++) await new SPLockedFile(fname).jsload();
    expect(count(AsyncLocalStorage)).toBe(before);
  });

  test.each([
    ['to hold', (fn: () => Promise<void>) => fn()],
    ['to hold inside of one', (fn: () => Promise<void>) => file.withLock(fn)],
  ])('a context that goes on from hold %s forgets the ones before', async (_label, around) => {
    const before = count(Queue);
    let left = 30;
    let atEnd = 0;
    const goOn = async (end: () => void) => {
      await file.withLock(() => {
        if (--left > 0) setImmediate(goOn, end);
        else {
          atEnd = count(Queue);
          end();
        }
      });
    };
    await around(() => new Promise((end) => goOn(end)));
    expect(atEnd - before).toBeLessThan(6);
  });

  test('nor do two objects whose holds overlap, hand over hand', async () => {
    const before = count(Queue);
    writeFileSync(path('other.json'), '{}');
    const files = [file, new SPLockedFile(path('other.json'))];
    let letGo: () => void = () => undefined;
    const atEnd = await new Promise<number>((end) => {
      const step = async (nr: number) => {
        await files[nr % 2]?.withLock(async () => {
          letGo();
          if (nr === 30) return end(count(Queue));
          const next = new Promise<void>((go) => {
            letGo = go;
          });
          setImmediate(step, nr + 1);
          await next;
        });
      };
      step(0);
    });
    expect(atEnd - before).toBeLessThan(10);
  });
});
