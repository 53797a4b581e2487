import { expect, test } from 'vitest';
import { FileQueue, pauseAfter } from '../../../src/store/lock/file-queue.js';

const forEver = new AbortController().signal;
const busyWait = (ms: number) => {
  const end = performance.now() + ms;
  while (performance.now() < end);
};

test('after a second of holds there is a gap for those who look every 100 ms', async () => {
  const queue = new FileQueue();
  const gaps: number[] = [];
  let freeSince = performance.now();
  for (let nr = 0; nr < 5; nr++) {
    await queue.enter(forEver);
    gaps.push(performance.now() - freeSince);
    queue.lock();
    expect(queue.isLocked).toBe(true);
    busyWait(300);
    queue.leave();
    freeSince = performance.now();
  }
  expect(queue.isLocked).toBe(false);
  expect(Math.max(...gaps)).toBeGreaterThanOrEqual(100);
});

test.each([
  ['was not busy', 99, 5, 0],
  ['was busy, at the beginning of a period', 100, 1160 + 10, 150],
  ['was busy, later in the period', 999, 1160 + 160, 0],
  ['has had the lock for a second', 1000, 1160 + 160, 110],
  ['has had the lock for a second, at the beginning of a period', 1000, 10, 150],
])('who %s pauses as long as all others who are busy', (_what, locked, time, pause) => {
  expect(pauseAfter(locked, time)).toBe(pause);
});

test('a wait for other processes is no gap', async () => {
  const queue = new FileQueue();
  let longest = 0;
  let freeSince = performance.now();
  for (let nr = 0; nr < 6; nr++) {
    await queue.enter(forEver);
    longest = Math.max(longest, performance.now() - freeSince);
    busyWait(120);
    queue.lock();
    busyWait(220);
    queue.leave();
    freeSince = performance.now();
  }
  expect(longest).toBeGreaterThan(100);
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
