import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { sleep } from '../../src/async/sleep.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('sleep', () => {
  test('waits for that long, and no longer', async () => {
    const done = vi.fn();
    const slept = sleep(1000).then(done);
    await vi.advanceTimersByTimeAsync(999);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalledTimes(1);
    await slept;
  });

  test('gives nothing, and leaves nothing behind', async () => {
    const { signal } = new AbortController();
    const add = vi.spyOn(signal, 'addEventListener');
    const remove = vi.spyOn(signal, 'removeEventListener');
    const slept = sleep(5, signal);
    await vi.runAllTimersAsync();
    expect(await slept).toBeUndefined();
    expect(add).toHaveBeenCalledTimes(1);
    expect(remove.mock.calls[0]?.slice(0, 2)).toEqual(add.mock.calls[0]?.slice(0, 2));
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([2 ** 31, Number.POSITIVE_INFINITY])(
    'more than a timer can count (%d) is for ever, and not at once',
    async (ms) => {
      const done = vi.fn();
      const controller = new AbortController();
      const slept = sleep(ms, controller.signal).then(done);
      await vi.advanceTimersByTimeAsync(1_000_000);
      expect(done).not.toHaveBeenCalled();
      controller.abort('enough');
      await expect(slept).rejects.toBe('enough');
    },
  );

  test('is aborted before it begins', async () => {
    const reason = new Error('enough');
    await expect(sleep(1000, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is aborted on the way, with the reason as it is', async () => {
    const controller = new AbortController();
    const slept = sleep(1000, controller.signal);
    controller.abort('a reason that is no error');
    await expect(slept).rejects.toBe('a reason that is no error');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('an abort after the end means nothing', async () => {
    const controller = new AbortController();
    const slept = sleep(10, controller.signal);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    await expect(slept).resolves.toBeUndefined();
  });
});
