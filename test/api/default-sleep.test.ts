import { afterEach, beforeEach, expect, type MockInstance, test, vi } from 'vitest';
import * as sleeping from '../../src/async/sleep.js';
import { Api, ApiConnectionError } from '../../src/index.js';
import { failureOf } from './failure.js';

let sleep: MockInstance<typeof sleeping.sleep>;
beforeEach(() => {
  sleep = vi.spyOn(sleeping, 'sleep').mockResolvedValue();
});
afterEach(() => sleep.mockRestore());

test('by default the waits are 1, 2, 4, 8 and 16 seconds', async () => {
  const { signal } = new AbortController();
  // Nothing listens on port 1.
  const error = await failureOf(
    new Api({ port: 1, auth: 'token' }).volumesList({ signal }),
    ApiConnectionError,
  );
  expect(error.code).toBe('ECONNREFUSED');
  expect(sleep.mock.calls).toEqual([1000, 2000, 4000, 8000, 16_000].map((ms) => [ms, signal]));
});

test('a function of the retry, and a number of retries, can take their place', async () => {
  const api = new Api({ port: 1, auth: 'token', transientRetries: 2, transientSleep: (retry) => retry + 7 });
  await failureOf(api.volumesList(), ApiConnectionError);
  expect(sleep.mock.calls.map(([ms]) => ms)).toEqual([7, 8]);
});
