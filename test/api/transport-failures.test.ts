import { describe, expect, test } from 'vitest';
import { ApiConnectionError, ApiResponseError } from '../../src/index.js';
import { exchange, what } from './exchange.js';
import { failureOf } from './failure.js';
import { always, type RawReply, server, useServer } from './raw-server.js';

useServer();

const CLOSED = '; the service, or something on the way to it, closed the connection; is it restarting?';

describe('replies that are not whole', () => {
  test.each([
    ['a body shorter than its length', 'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data":[]}', 11],
    [
      'a chunked body without its end',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{"da\r\n',
      4,
    ],
    ['no body at all', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n', 0],
  ])('%s', async (_label, text, size) => {
    const error = await failureOf(
      exchange((socket) => socket.end(text)),
      ApiResponseError,
    );
    expect(error).toMatchObject({
      name: 'ApiResponseError',
      code: 'ETRUNCATED',
      status: 200,
      message: `${what()}: the reply (status 200) was cut short after ${size} bytes`,
    });
    expect(error.cause).toBeInstanceOf(Error);
  });

  test.each([
    ['closed without a byte', ''],
    ['closed in the middle of the status line', 'HTTP/1.0 2'],
    ['closed in the middle of the headers', 'HTTP/1.0 200 OK\r\nContent-Ty'],
  ])('%s', async (_label, text) => {
    const error = await failureOf(
      exchange((socket) => socket.end(text)),
      ApiConnectionError,
    );
    expect(error).toMatchObject({ name: 'ApiConnectionError', code: 'ECONNRESET' });
    expect(error.message).toBe(`${what()}: socket hang up${CLOSED}`);
  });

  test('reset before the reply', async () => {
    const error = await failureOf(
      exchange((socket) => socket.resetAndDestroy()),
      ApiConnectionError,
    );
    expect(error).toMatchObject({ code: 'ECONNRESET', message: `${what()}: read ECONNRESET${CLOSED}` });
  });

  test('reset in the middle of the reply', async () => {
    const reply: RawReply = (socket) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data":');
      // The reset must not overtake what was sent before it.
      setTimeout(() => socket.resetAndDestroy(), 20);
    };
    const error = await failureOf(exchange(reply), ApiConnectionError);
    expect(error).toMatchObject({ code: 'ECONNRESET', message: `${what()}: read ECONNRESET${CLOSED}` });
  });
});

describe('replies that are not HTTP', () => {
  test.each([
    ['another protocol', 'SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'],
    ['noise', Buffer.from([0, 255, 13, 10, 13, 10, 7])],
    ['a TLS alert', Buffer.from([0x15, 3, 1, 0, 2, 2, 70])],
    ['a status that is no number', 'HTTP/1.0 abc OK\r\n\r\n'],
    ['a header with a control character', 'HTTP/1.0 200 OK\r\nA: b\u0001\r\n\r\n{}'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}'],
    ['a length below zero', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}'],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(40)}`],
  ])('%s', async (_label, bytes) => {
    const error = await failureOf(
      exchange((socket) => socket.end(bytes)),
      ApiResponseError,
    );
    expect(error).toMatchObject({ name: 'ApiResponseError', code: 'ENOTHTTP', status: undefined });
    expect(error.message.startsWith(`${what()}: the reply is not HTTP (`)).toBe(true);
  });

  test('a switch to another protocol ends the call at once', async () => {
    const error = await failureOf(
      exchange(
        (socket) =>
          socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
        { timeout: 500 },
      ),
      ApiResponseError,
    );
    expect(error.status).toBe(101);
    await expect.poll(() => server?.open.size).toBe(0);
  });
});

describe('replies that are too large', () => {
  const message = (limit: number) =>
    `${what()}: the reply (status 200) is larger than ${limit} bytes; raise maxReplySize if you expect that`;

  test('by a byte', async () => {
    const error = await failureOf(
      exchange(always(200, '12345678901'), { maxReplySize: 10 }),
      ApiResponseError,
    );
    expect(error).toMatchObject({ code: 'ETOOLARGE', status: 200, message: message(10) });
    await expect.poll(() => server?.open.size).toBe(0);
  });

  test('exactly the largest size is none of them', async () => {
    const reply = await exchange(always(200, '1234567890'), { maxReplySize: 10 });
    expect(reply.body.toString()).toBe('1234567890');
  });

  test('a stream without end is cut', async () => {
    const chunk = Buffer.alloc(64 * 1024, 'x');
    const total = 100_000_000;
    let sent = 0;
    const error = await failureOf(
      exchange(
        (socket) => {
          const pour = () => {
            while (sent < total && socket.writable) {
              sent += chunk.length;
              if (!socket.write(chunk)) {
                socket.once('drain', pour);
                return;
              }
            }
            socket.end();
          };
          socket.write('HTTP/1.0 200 OK\r\n\r\n');
          pour();
        },
        { maxReplySize: 1_000_000 },
      ),
      ApiResponseError,
    );
    expect(error).toMatchObject({ code: 'ETOOLARGE', status: 200, message: message(1_000_000) });
    await expect.poll(() => server?.open.size).toBe(0);
    // What the system buffers on the way is more than what was read, but far from everything.
    expect(sent).toBeLessThan(total / 2);
  });
});
