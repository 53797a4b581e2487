import { getEventListeners } from 'node:events';
import { expect, test, vi } from 'vitest';
import { onAbort } from '../../src/async/abort.js';

const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

test('everybody is called back, in the order in which they came, through one listener', () => {
  const controller = new AbortController();
  const told: number[] = [];
  for (let n = 0; n < 20; n++) onAbort(controller.signal, () => told.push(n));
  expect(listeners(controller.signal)).toBe(1);
  controller.abort();
  expect(told).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('whoever has stopped listening is not, and the last takes the listener along', () => {
  const controller = new AbortController();
  const { signal } = controller;
  const [stops, stays] = [vi.fn(), vi.fn()];
  const stop = onAbort(signal, stops);
  const stopLast = onAbort(signal, stays);
  stop();
  stop();
  expect(listeners(signal)).toBe(1);
  stopLast();
  expect(listeners(signal)).toBe(0);
  onAbort(signal, stays);
  stopLast();
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

test('without a signal there is nothing to be told of', () => {
  const never = vi.fn();
  onAbort(undefined, never)();
  expect(never).not.toHaveBeenCalled();
});
