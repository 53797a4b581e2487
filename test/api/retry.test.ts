import { describe, expect, test } from 'vitest';
import { isTransient, withRetries } from '../../src/api/retry.js';
import { Api, ApiArgumentError, ApiConnectionError, ApiError, ApiResponseError } from '../../src/index.js';
import { failureOf } from './failure.js';
import { http10, type RawReply, refuse, serve, server, succeed, useServer } from './raw-server.js';

const TRANSIENT = { name: 'notReady', descr: 'wait', transient: true };
const refusal = (transient: boolean) => new ApiError(500, { error: { name: 'n', descr: 'd', transient } });

describe('what is sent again', () => {
  test.each([
    [refusal(true), true],
    [refusal(false), false],
    [new ApiConnectionError('ECONNREFUSED', ''), true],
    [new ApiConnectionError('ECONNRESET', ''), true],
    [new ApiConnectionError('EPIPE', ''), true],
    [new ApiConnectionError('ETIMEDOUT', ''), false],
    [new ApiConnectionError('ENOTFOUND', ''), false],
    [new ApiConnectionError('EHOSTUNREACH', ''), false],
    [new ApiResponseError('ENOTHTTP', ''), true],
    [new ApiResponseError('ETRUNCATED', ''), true],
    [new ApiResponseError('ETOOLARGE', ''), false],
    [new ApiResponseError('EBADREPLY', ''), false],
    [Object.assign(new Error(), { code: 'ECONNREFUSED' }), false],
    [undefined, false],
  ])('%o: %s', (error, expected) => {
    expect(isTransient(error)).toBe(expected);
  });
});

describe('withRetries', () => {
  const run = (outcomes: (Error | string)[], retries: number) => {
    const seen: [unknown, number, number][] = [];
    let attempts = 0;
    const result = withRetries(
      async () => {
        const outcome = outcomes[attempts++];
        if (outcome instanceof Error) throw outcome;
        return outcome;
      },
      { retries, delay: (retry) => retry / 10 },
      (error, retry, wait) => seen.push([error, retry, wait]),
    );
    return { result, seen, attempts: () => attempts };
  };

  test('success at the last of them', async () => {
    const errors = [refusal(true), refusal(true)];
    const { result, seen, attempts } = run([...errors, 'fine'], 2);
    expect(await result).toBe('fine');
    expect(attempts()).toBe(3);
    expect(seen).toEqual([
      [errors[0], 0, 0],
      [errors[1], 1, 0.1],
    ]);
  });

  test('the error of the last attempt is the one that is thrown', async () => {
    const errors = [refusal(true), refusal(true), refusal(true)];
    const { result, attempts } = run(errors, 2);
    await expect(result).rejects.toBe(errors[2]);
    expect(attempts()).toBe(3);
  });

  test('an error that is not transient ends it', async () => {
    const final = refusal(false);
    const { result, seen, attempts } = run([refusal(true), final, 'fine'], 5);
    await expect(result).rejects.toBe(final);
    expect(attempts()).toBe(2);
    expect(seen).toHaveLength(1);
  });

  test('no retries at all', async () => {
    const { result, seen, attempts } = run([refusal(true), 'fine'], 0);
    await expect(result).rejects.toMatchObject({ transient: true });
    expect(attempts()).toBe(1);
    expect(seen).toEqual([]);
  });
});

describe('over HTTP', () => {
  useServer();

  async function call(reply: RawReply, options: { timeout?: number; transientRetries?: number } = {}) {
    await serve(reply);
    const retries: number[] = [];
    const transientSleep = (retry: number) => {
      retries.push(retry);
      return 0;
    };
    const api = new Api({ port: server?.port, auth: 'token', transientSleep, ...options });
    return { retries, result: api.volumesList() };
  }

  test.each<[string, RawReply, abstract new (...args: never[]) => Error, object]>([
    [
      'transient errors',
      refuse(503, TRANSIENT),
      ApiError,
      { code: 'notReady', status: 503, transient: true },
    ],
    ['resets', (socket) => socket.resetAndDestroy(), ApiConnectionError, { code: 'ECONNRESET' }],
    ['closed connections', (socket) => socket.end(), ApiConnectionError, { code: 'ECONNRESET' }],
    ['what is not HTTP', (socket) => socket.end('SSH-2.0-x\r\n'), ApiResponseError, { code: 'ENOTHTTP' }],
    [
      'replies shorter than their length',
      (socket) => socket.end('HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n'),
      ApiResponseError,
      { code: 'ETRUNCATED' },
    ],
    [
      'replies without their last chunk',
      (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"da\r\n'),
      ApiResponseError,
      { code: 'ETRUNCATED' },
    ],
  ])('%s: five retries, numbered from 0', async (_label, reply, type, expected) => {
    const { retries, result } = await call(reply);
    expect(await failureOf(result, type)).toMatchObject(expected);
    expect(retries).toEqual([0, 1, 2, 3, 4]);
    expect(server?.requests).toHaveLength(6);
    expect(new Set(server?.requests).size).toBe(1);
  });

  test('success after all sorts of trouble', async () => {
    const troubles: RawReply[] = [
      refuse(503, TRANSIENT),
      (socket) => socket.resetAndDestroy(),
      (socket) => socket.end('?\r\n\r\n'),
      refuse(200, TRANSIENT),
    ];
    const { retries, result } = await call((socket, attempt) => {
      (troubles[attempt] ?? succeed([{ name: 'v' }]))(socket, attempt);
    });
    expect(await result).toEqual([{ name: 'v' }]);
    expect(retries).toEqual([0, 1, 2, 3]);
  });

  test.each<[string, RawReply, abstract new (...args: never[]) => Error, object]>([
    ['errors that are not transient', refuse(409, { name: 'busy', descr: 'd' }), ApiError, { code: 'busy' }],
    [
      'HTML',
      (socket) => socket.end(http10(502, '<html>')),
      ApiResponseError,
      { code: 'EBADREPLY', status: 502 },
    ],
  ])('%s are thrown at once', async (_label, reply, type, expected) => {
    const { retries, result } = await call(reply);
    expect(await failureOf(result, type)).toMatchObject(expected);
    expect(retries).toEqual([]);
    expect(server?.requests).toHaveLength(1);
  });

  test('time-outs are thrown at once', async () => {
    const { retries, result } = await call(() => undefined, { timeout: 50 });
    expect(await failureOf(result, ApiConnectionError)).toMatchObject({ code: 'ETIMEDOUT' });
    expect(retries).toEqual([]);
    // A busy machine may accept the connection later than the client gives it up.
    await expect.poll(() => server?.peers.length).toBe(1);
  });

  test.each([
    [50, 10_000],
    [10_000, 50],
  ])('of the client (%d ms) and of the call (%d ms), the shorter time counts', async (ofClient, ofCall) => {
    await serve(() => undefined);
    const api = new Api({ port: server?.port, auth: 'token', timeout: ofClient });
    const error = await failureOf(api.volumesList({ timeout: ofCall }), ApiConnectionError);
    expect(error.message).toContain('no complete reply within 50 ms');
    await expect(api.volumesList({ timeout: 0 })).rejects.toThrow(
      'timeout is 0: give a number of at least 1',
    );
  });

  test.each([
    [0, 1],
    [2, 3],
  ])('a call can choose to be retried %d times', async (transientRetries, requests) => {
    await serve(refuse(503, TRANSIENT));
    const api = new Api({ port: server?.port, auth: 'token', transientSleep: () => 0 });
    await failureOf(api.volumeCreate({ name: 'v' }, { transientRetries }), ApiError);
    expect(server?.requests).toHaveLength(requests);
    await failureOf(api.call('POST', 'VolumeCreate', { transientRetries }), ApiError);
    expect(server?.requests).toHaveLength(2 * requests);
  });

  test.each(['5', -1, Number.NaN, null])('a call is not sent with transientRetries %j', async (value) => {
    const api = new Api({ port: 1, auth: 'token' });
    const error = await failureOf(api.volumesList({ transientRetries: value as number }), ApiArgumentError);
    expect(error.message).toBe(
      `transientRetries is ${typeof value === 'string' ? '"5"' : value}: give a number of at least 0`,
    );
  });

  test('a signal that ends a pause has as the cause of its reason what had failed', async () => {
    await serve(refuse(503, TRANSIENT));
    const controller = new AbortController();
    const reason = new Error('enough');
    const api = new Api({
      port: server?.port,
      auth: 'token',
      transientSleep: () => {
        setTimeout(() => controller.abort(reason), 5);
        return 60_000;
      },
    });
    await expect(api.volumesList({ signal: controller.signal })).rejects.toBe(reason);
    expect(reason.cause).toBeInstanceOf(ApiError);
  });

  test('each attempt has the whole time to itself', async () => {
    const { result } = await call(
      (socket, attempt) => {
        setTimeout(() => (attempt < 24 ? refuse(503, TRANSIENT) : succeed([]))(socket, attempt), 45);
      },
      { timeout: 1000, transientRetries: 24 },
    );
    expect(await result).toEqual([]);
  });
});
