import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import * as eventLoop from '../../../src/async/event-loop.js';
import { FileQueue, pauseAfter } from '../../../src/store/lock/file-queue.js';

/** The pauses that were made; they take no time here. */
const pauses: number[] = [];

const forEver = new AbortController().signal;
/** Milliseconds of the host's clock; not in the pause that all have in common. */
let clock: number;
let queue: FileQueue;
beforeEach(() => {
  clock = 200;
  vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => BigInt(clock * 1e6));
  queue = new FileQueue();
  pauses.length = 0;
  vi.spyOn(eventLoop, 'afterRealTime').mockImplementation((ms, callback) => {
    pauses.push(ms);
    callback();
    return setTimeout(() => undefined, 0);
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

async function hold(waitForOthers: number, work: number): Promise<void> {
  await queue.enter(forEver);
  clock += waitForOthers;
  queue.lock();
  expect(queue.isLocked).toBe(true);
  clock += work;
  queue.leave();
  expect(queue.isLocked).toBe(false);
}

test('after a second of holds there is a gap for those who look every 100 ms', async () => {
  for (let nr = 0; nr < 6; nr++) await hold(0, 300);
  expect(pauses).toEqual([110]);
});

test('a wait for other processes is no gap', async () => {
  for (let nr = 0; nr < 6; nr++) await hold(160, 220);
  expect(pauses).toEqual([110]);
});

test('a time in which nobody wanted the file is one', async () => {
  for (let nr = 0; nr < 20; nr++) {
    await hold(0, 99);
    clock += 120;
  }
  expect(pauses).toEqual([]);
});

test('who could not lock the file has held up nobody', async () => {
  await queue.enter(forEver);
  clock += 5000;
  queue.leave();
  expect(pauses).toEqual([]);
});

test.each([
  ['was not busy', 99, 5, 0],
  ['was busy, at the beginning of a period', 100, 1160 + 10, 150],
  ['was busy, later in the period', 999, 1160 + 160, 0],
  ['has had the lock for a second', 1000, 1160 + 160, 110],
  ['has had the lock for a second, at the beginning of a period', 1000, 10, 150],
])('who %s pauses for so long', (_what, locked, time, pause) => {
  expect(pauseAfter(locked, time)).toBe(pause);
});
