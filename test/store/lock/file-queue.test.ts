import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as eventLoop from '../../../src/async/event-loop.js';
import { FileQueue } from '../../../src/store/lock/file-queue.js';

const forEver = new AbortController().signal;

// Only these tests move the time on, so that a machine with other work makes no gaps.
let now = 0;
beforeEach(() => {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(eventLoop, 'afterRealTime').mockImplementation((ms, callback) =>
    setTimeout(() => {
      now += ms;
      callback();
    }, 0),
  );
});
afterEach(() => {
  vi.restoreAllMocks();
});

test('after a second of holds there is a gap for those who look every 100 ms', async () => {
  const queue = new FileQueue();
  const gaps: number[] = [];
  let freeSince = now;
  for (let nr = 0; nr < 12; nr++) {
    await queue.enter(forEver);
    gaps.push(now - freeSince);
    queue.lock();
    expect(queue.isLocked).toBe(true);
    now += 300;
    queue.leave();
    freeSince = now;
  }
  expect(queue.isLocked).toBe(false);
  expect(gaps).toEqual([0, 0, 0, 0, 110, 0, 0, 0, 110, 0, 0, 0]);
});

test('who could not lock the file has held up nobody', async () => {
  const queue = new FileQueue();
  await queue.enter(forEver);
  now += 5000;
  queue.leave();
  const start = now;
  await queue.enter(forEver);
  expect(now).toBe(start);
});
