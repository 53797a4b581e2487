import { request } from 'node:http';
import { connect } from 'node:net';
import { onAbort } from '../async/abort.js';
import { startTimer } from '../async/timer.js';
import { ApiConnectionError } from './errors/api-connection-error.js';
import { ApiResponseError, type ApiResponseErrorCode } from './errors/api-response-error.js';

/** One HTTP request, ready to be sent. */
export interface HttpRequest {
  host: string;
  port: number;
  /** The local address to send from. */
  source: string | undefined;
  method: string;
  path: string;
  headers: Record<string, string>;
  body: string | undefined;
  /** Milliseconds from connecting to the last byte of the reply. */
  timeout: number;
  /** Bytes. */
  maxReplySize: number;
  signal: AbortSignal | undefined;
}

/** A reply, read to its end. */
export interface HttpReply {
  status: number;
  body: Buffer;
}

/**
 * Sends a request on its own connection and reads the reply to its end.
 *
 * @throws {@link ApiConnectionError} when no complete reply comes, {@link ApiResponseError} when the reply is
 * not HTTP, is cut short or is too large; the signal's reason when it is aborted.
 */
export function send(req: HttpRequest): Promise<HttpReply> {
  const { host, port, source, method, path, headers, body, timeout, maxReplySize, signal } = req;
  const what = `${method} ${path} at ${host}:${port}`;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const address = { host, port, noDelay: true, ...(source && { localAddress: source }) };
    const outgoing = request({
      host,
      port,
      method,
      path,
      headers: { ...headers, 'Content-Length': Buffer.byteLength(body ?? '') },
      // One connection per request, because the service closes it after its reply.
      createConnection: () => connect(address),
    });

    const stopWaiting = () => {
      clearTimeout(timer);
      stopListening();
    };
    const fail = (error: unknown) => {
      stopWaiting();
      reject(error);
      outgoing.destroy();
    };
    const timer = startTimer(timeout, () => {
      const problem = `no complete reply within ${timeout} ms; is the management service running? If so, try again with a longer timeout`;
      fail(new ApiConnectionError('ETIMEDOUT', `${what}: ${problem}`));
    });
    const stopListening = onAbort(signal, () => fail(signal?.reason));

    outgoing.on('error', (error: NodeJS.ErrnoException) => fail(asTyped(error, what)));
    outgoing.on('response', (incoming) => {
      const status = incoming.statusCode as number;
      const chunks: Buffer[] = [];
      let size = 0;
      const bad = (code: ApiResponseErrorCode, problem: string, options?: ErrorOptions) =>
        fail(new ApiResponseError(code, `${what}: the reply (status ${status}) ${problem}`, status, options));
      const refuseTooLarge = () =>
        bad('ETOOLARGE', `is larger than ${maxReplySize} bytes; raise maxReplySize if you expect that`);
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > maxReplySize) refuseTooLarge();
        else chunks.push(chunk);
      });
      incoming.on('end', () => {
        stopWaiting();
        resolve({ status, body: Buffer.concat(chunks) });
        // The connection is closed by itself, but only once the whole request is sent.
        if (!outgoing.writableFinished) outgoing.destroy();
      });
      // The request reports a reset; the reply only reports that it ended too early.
      incoming.on('error', (cause) => bad('ETRUNCATED', `was cut short after ${size} bytes`, { cause }));
    });
    outgoing.on('upgrade', ({ statusCode }, socket) => {
      // The socket no longer belongs to the request.
      socket.destroy();
      fail(new ApiResponseError('EBADREPLY', `${what}: the reply switches to another protocol`, statusCode));
    });
    outgoing.end(body);
  });
}

function asTyped(error: NodeJS.ErrnoException, what: string): Error {
  const code = String(error.code);
  if (code.startsWith('HPE_')) {
    // Node's own error contains the raw reply, which may contain the token.
    return new ApiResponseError('ENOTHTTP', `${what}: the reply is not HTTP (${error.message})`);
  }
  return new ApiConnectionError(code, `${what}: ${error.message || code}${remedy(code)}`, { cause: error });
}

function remedy(code: string): string {
  switch (code) {
    case 'ECONNREFUSED':
      return '; is the StorPool management service running, and are SP_API_HTTP_HOST and SP_API_HTTP_PORT right?';
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return '; is SP_API_HTTP_HOST right?';
    case 'ECONNRESET':
    case 'EPIPE':
      return '; the service, or something on the way to it, closed the connection; is it restarting?';
    case 'EADDRNOTAVAIL':
      return '; is source an address of this host?';
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return '; is the network of SP_API_HTTP_HOST up?';
    default:
      return '';
  }
}
