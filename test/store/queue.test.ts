import { expect, test } from 'vitest';
import { Mutex } from '../../../src/store/lock/mutex.js';

test('callers get in in the order in which they came, one at a time', async () => {
  const mutex = new Mutex();
  const log: string[] = [];
  await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      await mutex.acquire();
      log.push(`${name} begins`);
      await new Promise(setImmediate);
      log.push(`${name} ends`);
      mutex.release();
    }),
  );
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(mutex.isFree).toBe(true);
});

test('who gives up is passed over, and does not let the next one in early', async () => {
  const mutex = new Mutex();
  await mutex.acquire();
  const impatient = new AbortController();
  const second = mutex.acquire(impatient.signal);
  let thirdIn = false;
  const third = mutex.acquire().then(() => {
    thirdIn = true;
  });
  impatient.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await new Promise(setImmediate);
  expect(thirdIn).toBe(false);
  mutex.release();
  await third;
  expect(mutex.isFree).toBe(false);
  mutex.release();
  expect(mutex.isFree).toBe(true);
});

test('a signal that is aborted already never gets in, and one that is aborted later changes nothing', async () => {
  const mutex = new Mutex();
  await expect(mutex.acquire(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  const controller = new AbortController();
  await mutex.acquire();
  const second = mutex.acquire(controller.signal);
  mutex.release();
  await second;
  controller.abort();
  expect(mutex.isFree).toBe(false);
});
