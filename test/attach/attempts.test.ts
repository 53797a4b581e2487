import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { AGAIN, type Attempt, type Host, inAttempts } from '../../src/attach/attempts.js';
import { ApiConnectionError, ApiError, AttachError } from '../../src/index.js';
import { isOpen } from '../lib/attach-db.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const POLICY = {
  openRetries: 3,
  openDelay: 200,
  transientRetries: 5,
  transientDelay: (retry: number) => 1000 * 2 ** retry,
};
const open = new AttachError('EBUSY', 'os--v is open', { cause: isOpen() });
const transient = new ApiError(503, { error: { name: 'busy', descr: 'later', transient: true } });
const refused = new ApiConnectionError('ECONNREFUSED', 'nobody there');
const timedOut = new AttachError('ETIMEDOUT', 'no answer');
const log = { warn: vi.fn(), debug: vi.fn() };
beforeEach(() => void log.warn.mockClear());

const host = (policy: object, signal?: AbortSignal) => {
  const hold: Host['hold'] = (isLast, attempt) => attempt({ isLast } as Attempt);
  return { policy: { ...POLICY, ...policy }, log, signal, hold };
};

/** Makes attempts that come to these things, one after the other; an Error is thrown. */
async function run(outcomes: unknown[], policy = {}, signal?: AbortSignal) {
  const made: { at: number; isLast: boolean }[] = [];
  const start = Date.now();
  const attempt = async ({ isLast }: Attempt) => {
    const outcome = outcomes[made.length];
    made.push({ at: Date.now() - start, isLast });
    if (outcome instanceof Error) throw outcome;
    return outcome;
  };
  const result = inAttempts('call(a)', host(policy, signal), attempt);
  const outcome = result.catch((error: unknown) => ({ error }));
  await vi.runAllTimersAsync();
  return { made, outcome: await outcome };
}

test('an attempt that succeeds is the only one', async () => {
  expect(await run(['done'])).toEqual({ made: [{ at: 0, isLast: false }], outcome: 'done' });
});

test('an attempt that has more to do is followed at once by another', async () => {
  const { made } = await run([AGAIN, AGAIN, 'done']);
  expect(made.map(({ at }) => at)).toEqual([0, 0, 0]);
  expect(log.warn).not.toHaveBeenCalled();
});

describe('a volume that is open', () => {
  test('is tried again after the delay, and the last attempt knows that it is that', async () => {
    const { made, outcome } = await run([open, open, open, 'forced']);
    expect(made).toEqual([0, 200, 400, 600].map((at) => ({ at, isLast: at === 600 })));
    expect(outcome).toBe('forced');
  });

  test('without retries the first attempt is the last', async () => {
    expect((await run(['forced'], { openRetries: 0 })).made).toEqual([{ at: 0, isLast: true }]);
  });
});

describe('a transient failure', () => {
  test.each([transient, refused, timedOut])(
    '%s is tried again after 1, 2, 4, 8 and 16 seconds',
    async (error) => {
      const { made, outcome } = await run([error, error, error, error, error, 'done']);
      expect(made.map(({ at }) => at)).toEqual([0, 1000, 3000, 7000, 15_000, 31_000]);
      expect(log.warn).toHaveBeenCalledExactlyOnceWith(
        `call(a) is waiting for the API, and tries again: ${error.message}`,
      );
      expect(outcome).toBe('done');
    },
  );

  test('is raised after that', async () => {
    const { made, outcome } = await run(Array(9).fill(transient));
    expect(made).toHaveLength(6);
    expect(outcome).toEqual({ error: transient });
  });

  test('does not count as an attempt at a volume that is open', async () => {
    const { made } = await run([open, transient, open, open, 'forced']);
    expect(made.map(({ at }) => at)).toEqual([0, 200, 1200, 1400, 1600]);
    expect(made.map(({ isLast }) => isLast)).toEqual([false, false, false, false, true]);
  });

  test('is raised at once where the api has retries of its own', async () => {
    expect(await run([transient], { transientRetries: 0 })).toMatchObject({ outcome: { error: transient } });
  });
});

test('any other error is raised at once, after other attempts too', async () => {
  const error = new ApiError(403, { error: { name: 'notAuthorized' } });
  const { made, outcome } = await run([open, error]);
  expect(made).toHaveLength(2);
  expect(outcome).toEqual({ error });
});

describe('a signal', () => {
  const abortedAfter = (ms: number, reason: unknown) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), ms);
    return controller.signal;
  };

  test('ends a pause at once; the cause of its reason is what had failed', async () => {
    const reason = new Error('enough');
    const { made, outcome } = await run([refused, 'done'], {}, abortedAfter(10, reason));
    expect(outcome).toEqual({ error: reason });
    expect(reason.cause).toBe(refused);
    expect(made).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('whose reason has a cause keeps it', async () => {
    const reason = new Error('enough', { cause: 'mine' });
    await run([open, 'done'], {}, abortedAfter(10, reason));
    expect(reason.cause).toBe('mine');
  });

  test.each(['a string', Object.freeze(new Error('frozen'))])(
    'whose reason is %s stays as it is',
    async (reason) => {
      expect((await run([open, 'done'], {}, abortedAfter(10, reason))).outcome).toEqual({ error: reason });
    },
  );

  test('that ends a later attempt has the cause too, one that ends the first has none', async () => {
    const [first, later] = [new Error('first'), new Error('later')];
    const ended = async (reason: Error, failures: Error[]) => {
      const controller = new AbortController();
      const attempt = async () => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        controller.abort(reason);
        throw reason;
      };
      const outcome = inAttempts('call(a)', host({}, controller.signal), attempt).catch(
        (error: unknown) => error,
      );
      await vi.runAllTimersAsync();
      return outcome;
    };
    expect(await ended(first, [])).toBe(first);
    expect(first.cause).toBeUndefined();
    expect(await ended(later, [refused])).toBe(later);
    expect(later.cause).toBe(refused);
  });
});
