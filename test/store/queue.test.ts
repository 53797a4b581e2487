import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as eventLoop from '../../src/async/event-loop.js';
import { FileQueue, Queue } from '../../src/store/queue.js';

describe('Queue', () => {
  test('callers get in in the order in which they came, one at a time', async () => {
    const queue = new Queue();
    const log: string[] = [];
    await Promise.all(
      ['a', 'b', 'c'].map(async (name) => {
        await queue.enter();
        log.push(`${name} begins`);
        await new Promise(setImmediate);
        log.push(`${name} ends`);
        queue.leave();
      }),
    );
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
    expect(queue.isTaken).toBe(false);
  });

  test('a caller that gives up is passed over, and does not let the next one in early', async () => {
    const queue = new Queue();
    await queue.enter();
    const impatient = new AbortController();
    const second = queue.enter(impatient);
    let isThirdIn = false;
    const third = queue.enter().then(() => {
      isThirdIn = true;
    });
    impatient.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');
    await new Promise(setImmediate);
    expect(isThirdIn).toBe(false);
    queue.leave();
    await third;
    queue.leave();
    expect(queue.isTaken).toBe(false);
  });

  test('a signal that is aborted already ends a wait at once, and one that is aborted later changes nothing', async () => {
    const queue = new Queue();
    const controller = new AbortController();
    await queue.enter();
    const late = { signal: AbortSignal.abort(new Error('too late')) };
    await expect(queue.enter(late)).rejects.toThrow('too late');
    const second = queue.enter(controller);
    queue.leave();
    await second;
    controller.abort();
    expect(queue.isTaken).toBe(true);
  });
});

describe('FileQueue', () => {
  /** When gaps were left, and how long they were; they take no time here. */
  const gaps: [number, number][] = [];
  let clock: number;
  let queue: FileQueue;
  beforeEach(() => {
    vi.spyOn(process.hrtime, 'bigint').mockImplementation(() => BigInt(clock * 1e6));
    vi.spyOn(eventLoop, 'afterRealTime').mockImplementation((ms, callback) => {
      gaps.push([clock, ms]);
      clock += ms;
      callback();
      return setTimeout(() => undefined, 0);
    });
    // A period begins every 1170 ms.
    clock = 1170 * 4 + 300;
    queue = new FileQueue();
    gaps.length = 0;
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  async function hold(work: number): Promise<void> {
    await queue.enter();
    await queue.gap;
    clock += work;
    queue.leave();
  }

  test('after a second of holds there is a gap for those who look every 100 ms', async () => {
    for (let nr = 0; nr < 4; nr++) await hold(260);
    expect(gaps).toEqual([[1170 * 5 + 170, 110]]);
  });

  test('all that are busy leave their next gap together, at the beginning of a period', async () => {
    for (let nr = 0; nr < 300; nr++) await hold(10);
    expect(gaps.slice(1)).toEqual([
      [1170 * 6, 170],
      [1170 * 7, 170],
    ]);
  });

  test('a wait for other processes is no gap', async () => {
    await hold(20);
    await hold(1000);
    expect(gaps).toHaveLength(1);
  });

  test('a time in which nobody wanted the file is one', async () => {
    for (let nr = 0; nr < 20; nr++) {
      await hold(99);
      clock += 120;
    }
    expect(gaps).toEqual([]);
  });
});
