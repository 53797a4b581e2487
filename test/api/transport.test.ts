import { describe, expect, test } from 'vitest';
import { send } from '../../src/api/transport.js';
import { ApiConnectionError } from '../../src/index.js';
import { BASE, CLOSED_PORT, exchange, what } from './exchange.js';
import { failureOf } from './failure.js';
import { always, http10, parts, server, useServer } from './raw-server.js';

useServer();

const LATE = '; is the management service running? If so, try again with a longer timeout';

describe('the request on the wire', () => {
  test.each([
    ['a GET has no body', {}, 'GET /ctrl/1.0/VolumesList', '', 0],
    [
      'a POST has its length in bytes',
      { method: 'POST', body: '{"a":"жълт"}' },
      'POST /ctrl/1.0/VolumesList',
      '{"a":"жълт"}',
      16,
    ],
  ] as const)('%s, and asks for the connection to be closed', async (_, request, line, body, length) => {
    await exchange(always(200, '{}'), request);
    const host = `Host: 127.0.0.1:${server?.port}`;
    const headers = [
      'Authorization: Storpool v1:token',
      'Connection: close',
      `Content-Length: ${length}`,
      host,
    ];
    expect(server?.requests.map(parts)).toEqual([{ line: `${line} HTTP/1.1`, headers, body }]);
  });

  test('every request has a connection of its own', async () => {
    await exchange(always(200, '{}'));
    await send({ ...BASE, port: server?.port ?? CLOSED_PORT });
    expect(server?.peers).toHaveLength(2);
  });

  test('it comes from the local address that was asked for', async () => {
    await exchange(always(200, '{}'), { source: '127.0.0.1' });
    expect(server?.peers).toEqual(['127.0.0.1']);
  });

  test('a local address that this host does not have is a connection error', async () => {
    const error = await failureOf(exchange(always(200, '{}'), { source: '192.0.2.1' }), ApiConnectionError);
    expect(error.code).toBe('EADDRNOTAVAIL');
    expect(server?.peers).toEqual([]);
  });
});

describe('replies that are whole', () => {
  test('HTTP/1.0 without a length, ended by the end of the connection', async () => {
    const reply = await exchange(always(200, '{"data":"жълт"}'));
    expect(reply.status).toBe(200);
    expect(reply.body.toString()).toBe('{"data":"жълт"}');
  });

  test('chunked, the chunks cutting a character in two', async () => {
    const bytes = Buffer.from('{"data":"ж"}');
    const reply = await exchange((socket) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      for (const chunk of [bytes.subarray(0, 10), bytes.subarray(10)]) {
        socket.write(`${chunk.length.toString(16)}\r\n`);
        socket.write(chunk);
        socket.write('\r\n');
      }
      socket.end('0\r\n\r\n');
    });
    expect(reply.body.equals(bytes)).toBe(true);
  });

  test('in thousands of tiny chunks', async () => {
    const text = `{"data":"${'0123456789'.repeat(500)}"}`;
    const reply = await exchange((socket) => {
      const chunks = [...text].map((char) => `1\r\n${char}\r\n`);
      socket.end(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`);
    });
    expect(reply.body.toString()).toBe(text);
  });

  test('with a length, on a connection that the server leaves open', async () => {
    const reply = await exchange((socket) => {
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}');
    });
    expect(reply).toEqual({ status: 404, body: Buffer.from('{}') });
    await expect.poll(() => server?.open.size).toBe(0);
  });

  test('byte by byte', async () => {
    const bytes = http10(200, '{"data":[1,2,3]}');
    const reply = await exchange((socket) => {
      let at = 0;
      const drip = () => {
        if (at === bytes.length) socket.end();
        else socket.write(bytes.subarray(at, ++at), () => setImmediate(drip));
      };
      drip();
    });
    expect(reply.body.toString()).toBe('{"data":[1,2,3]}');
  });

  test('without a body', async () => {
    const reply = await exchange((socket) => socket.end('HTTP/1.1 204 No Content\r\n\r\n'));
    expect(reply).toEqual({ status: 204, body: Buffer.alloc(0) });
  });

  test('an informational reply before the real one is passed over', async () => {
    const reply = await exchange((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n');
      socket.end(http10(200, '{}'));
    });
    expect(reply).toEqual({ status: 200, body: Buffer.from('{}') });
  });
});

describe('time-outs', () => {
  test('a server that never answers', async () => {
    const error = await failureOf(
      exchange(() => undefined, { timeout: 30 }),
      ApiConnectionError,
    );
    expect(error).toMatchObject({
      name: 'ApiConnectionError',
      code: 'ETIMEDOUT',
      message: `${what()}: no complete reply within 30 ms${LATE}`,
    });
    await expect.poll(() => server?.open.size).toBe(0);
  });

  test('a server that answers drop by drop, and is never idle for that long', async () => {
    let drip: NodeJS.Timeout | undefined;
    const error = await failureOf(
      exchange(
        (socket) => {
          socket.write('HTTP/1.0 200 OK\r\n\r\n');
          drip = setInterval(() => socket.write('x'), 2);
          socket.on('close', () => clearInterval(drip));
        },
        { timeout: 60 },
      ),
      ApiConnectionError,
    );
    clearInterval(drip);
    expect(error).toMatchObject({
      code: 'ETIMEDOUT',
      message: `${what()}: no complete reply within 60 ms${LATE}`,
    });
  });

  test.each([2 ** 31, Number.POSITIVE_INFINITY])('a time of %d ms is not cut short', async (timeout) => {
    const reply = await exchange(
      (socket) => {
        setTimeout(() => socket.end(http10(200, '{}')), 20);
      },
      { timeout },
    );
    expect(reply.status).toBe(200);
  });
});

describe('connections that do not come about', () => {
  test('refused: the message says what to look at', async () => {
    const error = await failureOf(send(BASE), ApiConnectionError);
    expect(error).toMatchObject({
      name: 'ApiConnectionError',
      code: 'ECONNREFUSED',
      message:
        'GET /ctrl/1.0/VolumesList at 127.0.0.1:1: connect ECONNREFUSED 127.0.0.1:1; is the StorPool management service running, and are SP_API_HTTP_HOST and SP_API_HTTP_PORT right?',
    });
    expect(error.cause).toMatchObject({ syscall: 'connect' });
  });

  test('a host that is not known: the message names the setting', async () => {
    // No part of a host name may be that long, so that no name server is asked.
    const host = 'h'.repeat(64);
    const error = await failureOf(send({ ...BASE, host }), ApiConnectionError);
    expect(error).toMatchObject({
      code: 'ENOTFOUND',
      message: `GET /ctrl/1.0/VolumesList at ${host}:1: getaddrinfo ENOTFOUND ${host}; is SP_API_HTTP_HOST right?`,
    });
  });
});

describe('abort', () => {
  test('before the request: nothing is sent', async () => {
    const reason = new Error('enough');
    const sent = exchange(always(200, '{}'), { signal: AbortSignal.abort(reason) });
    await expect(sent).rejects.toBe(reason);
    expect(server?.peers).toEqual([]);
  });

  test('while waiting for the reply: the connection is closed', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const sent = exchange(() => controller.abort(reason), { signal: controller.signal });
    await expect(sent).rejects.toBe(reason);
    await expect.poll(() => server?.open.size).toBe(0);
  });

  test('in the middle of the reply', async () => {
    const controller = new AbortController();
    const sent = exchange(
      (socket) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{');
        setTimeout(() => controller.abort('a reason that is no error'), 10);
      },
      { signal: controller.signal },
    );
    await expect(sent).rejects.toBe('a reason that is no error');
  });

  test('after the reply it means nothing', async () => {
    const controller = new AbortController();
    const reply = await exchange(always(200, '{}'), { signal: controller.signal });
    controller.abort();
    expect(reply.status).toBe(200);
  });
});
