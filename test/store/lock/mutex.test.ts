import { expect, test, vi } from 'vitest';
import { Turns } from '../../../src/store/lock/mutex.js';

test('turns come in the order in which they were asked for, one at a time', async () => {
  const turns = new Turns();
  const log: string[] = [];
  await Promise.all(
    ['a', 'b', 'c'].map(async (name) => {
      const end = await turns.take();
      log.push(`${name} begins`);
      await new Promise(setImmediate);
      log.push(`${name} ends`);
      end();
    }),
  );
  expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  expect(turns.unused).toBe(true);
});

test('who gives up is passed over, and does not let the next one in early', async () => {
  const turns = new Turns();
  const endFirst = await turns.take();
  const impatient = new AbortController();
  const second = turns.take(impatient.signal);
  const third = turns.take();
  let thirdIn = false;
  third.then(() => {
    thirdIn = true;
  });
  impatient.abort(new Error('enough'));
  await expect(second).rejects.toThrow('enough');
  await new Promise(setImmediate);
  expect(thirdIn).toBe(false);
  endFirst();
  (await third)();
  expect(turns.unused).toBe(true);
});

test('the last one says so, even if it has given up', async () => {
  const onUnused = vi.fn();
  const turns = new Turns(onUnused);
  const end = await turns.take();
  const impatient = new AbortController();
  const second = turns.take(impatient.signal);
  impatient.abort();
  await expect(second).rejects.toThrow('aborted');
  end();
  await new Promise(setImmediate);
  expect(onUnused).toHaveBeenCalledTimes(1);
});

test('a signal that is aborted already never gets a turn', async () => {
  const turns = new Turns();
  await expect(turns.take(AbortSignal.abort(new Error('too late')))).rejects.toThrow('too late');
  (await turns.take())();
});

test('idle waits for all who have asked', async () => {
  const turns = new Turns();
  const end = await turns.take();
  const next = turns.take();
  let idle = false;
  const waiting = turns.idle.then(() => {
    idle = true;
  });
  end();
  const endNext = await next;
  expect(idle).toBe(false);
  endNext();
  await waiting;
});
