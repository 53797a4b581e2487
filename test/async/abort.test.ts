import { getEventListeners } from 'node:events';
import { describe, expect, test, vi } from 'vitest';
import { onAbort, untilAborted } from '../../src/async/abort.js';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('everybody is called back, in the order in which they came', () => {
  const controller = new AbortController();
  const called: number[] = [];
  for (let n = 0; n < 20; n++) onAbort(controller.signal, () => called.push(n));
  controller.abort();
  expect(called).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('many who listen to one signal are no leak to Node.js', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
  const { signal } = new AbortController();
  for (let n = 0; n < 50; n++) onAbort(signal, () => undefined);
  expect(listeners(signal)).toBe(50);
  expect(warn).not.toHaveBeenCalled();
  warn.mockRestore();
});

test('whoever has stopped listening is not called back, and leaves no listener', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const [stops, stays] = [vi.fn(), vi.fn()];
  const stop = onAbort(signal, stops);
  onAbort(signal, stays);
  stop();
  stop();
  expect(listeners(signal)).toBe(1);
  controller.abort();
  expect(stops).not.toHaveBeenCalled();
  expect(stays).toHaveBeenCalledTimes(1);
});

test('one may stop listening while it is called back', () => {
  const controller = new AbortController();
  const first = vi.fn(() => stop());
  const stop = onAbort(controller.signal, first);
  const second = vi.fn();
  onAbort(controller.signal, second);
  controller.abort();
  expect(first).toHaveBeenCalledTimes(1);
  expect(second).toHaveBeenCalledTimes(1);
});

test('a signal of another implementation will do', () => {
  const target = new EventTarget();
  const signal = {
    addEventListener: target.addEventListener.bind(target),
    removeEventListener: target.removeEventListener.bind(target),
  } as AbortSignal;
  const callback = vi.fn();
  onAbort(signal, callback);
  target.dispatchEvent(new Event('abort'));
  expect(callback).toHaveBeenCalledTimes(1);
});

test('without a signal there is nothing to listen to', () => {
  const never = vi.fn();
  onAbort(undefined, never)();
  expect(never).not.toHaveBeenCalled();
});

describe('untilAborted', () => {
  test.each<[string, number, string]>([
    ['the time is up', 5, 'too late'],
    ['the signal is aborted', 60_000, 'enough'],
  ])('once %s, nothing is left that waits', async (_what, ms, message) => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const never = new Promise<void>(() => undefined);
    const waiting = untilAborted(
      () => never,
      controller.signal,
      ms,
      () => new Error('too late'),
    );
    const failed = expect(waiting).rejects.toThrow(message);
    expect([listeners(controller.signal), vi.getTimerCount()]).toEqual([1, 1]);
    vi.advanceTimersByTime(5);
    controller.abort(new Error('enough'));
    await failed;
    expect([listeners(controller.signal), vi.getTimerCount()]).toEqual([0, 0]);
    vi.useRealTimers();
  });
});
