import { expect, test } from 'vitest';
import { FileQueue } from '../../../src/store/lock/file-queue.js';

const forEver = new AbortController().signal;
const busyWait = (ms: number) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

test('after a second of holds there is a gap for those who look every 100 ms', async () => {
  const queue = new FileQueue();
  const gaps: number[] = [];
  let freeSince = performance.now();
  for (let nr = 0; nr < 8; nr++) {
    await queue.enter(forEver);
    gaps.push(performance.now() - freeSince);
    queue.lock();
    expect(queue.isLocked).toBe(true);
    busyWait(300);
    queue.leave();
    freeSince = performance.now();
  }
  expect(queue.isLocked).toBe(false);
  expect(gaps.filter((gap) => gap >= 100)).toHaveLength(1);
  expect(gaps[4]).toBeGreaterThanOrEqual(100);
});

test('who could not lock the file has held up nobody', async () => {
  const queue = new FileQueue();
  await queue.enter(forEver);
  busyWait(50);
  queue.leave();
  const start = performance.now();
  await queue.enter(forEver);
  expect(performance.now() - start).toBeLessThan(50);
});
