import { beforeEach, expect, test, vi } from 'vitest';
import { sleep } from '../../src/async/sleep.js';
import { Api, ApiConnectionError } from '../../src/index.js';
import { failureOf } from './failure.js';

vi.mock('../../src/async/sleep.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('../../src/async/sleep.js')>()),
  sleep: vi.fn(async () => undefined),
}));
beforeEach(() => vi.mocked(sleep).mockClear());

test('by default the waits are 1, 2, 4, 8 and 16 seconds', async () => {
  const { signal } = new AbortController();
  // Nothing listens on port 1.
  const error = await failureOf(
    new Api({ port: 1, auth: 'token' }).volumesList({ signal }),
    ApiConnectionError,
  );
  expect(error.code).toBe('ECONNREFUSED');
  expect(vi.mocked(sleep).mock.calls).toEqual([1000, 2000, 4000, 8000, 16_000].map((ms) => [ms, signal]));
});

test('a function of the retry can take their place', async () => {
  const api = new Api({ port: 1, auth: 'token', transientRetries: 2, transientSleep: (retry) => retry + 7 });
  await failureOf(api.volumesList(), ApiConnectionError);
  expect(vi.mocked(sleep).mock.calls).toEqual([
    [7, undefined],
    [8, undefined],
  ]);
});
