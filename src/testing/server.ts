import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

/** A request to the fake service. */
export interface FakeRequest {
  /** `GET` or `POST`. */
  method: string;
  /** The whole path, for example `/ctrl/1.0/VolumesReassign`, with the query. */
  path: string;
  /** The parsed argument; `undefined` without one, a `SyntaxError` if it is not JSON. */
  body: unknown;
}

/** The reply, or how the network fails instead. @internal */
export type Answer = { status: number; json: unknown } | 'reset' | 'hang' | 'garbage';

/** A request and its result. */
export interface FakeReply extends FakeRequest {
  /** The HTTP status, or how the network failed instead. */
  status: number | 'reset' | 'hang' | 'garbage';
  /** Milliseconds from the end of the request to the reply. */
  duration: number;
}

/** A server on a loopback port. @internal */
export async function listen(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return server;
}

/** Stops the server and closes all its connections. @internal */
export async function stop(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

/**
 * Reads one request and sends the reply of `answer`. If `answer` throws, the test is wrong, so the error is thrown on.
 *
 * @internal
 */
export function serve(
  incoming: IncomingMessage,
  response: ServerResponse,
  answer: (request: FakeRequest, authorization: string | undefined) => Promise<Answer>,
): void {
  const chunks: Buffer[] = [];
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
  // A client that disconnects before the end of the request has made no call.
  incoming.on('error', () => response.destroy());
  incoming.on('end', () => {
    const { method = '', url = '', headers } = incoming;
    const body = parseBody(url, Buffer.concat(chunks).toString('utf8'));
    // The client must not wait for a reply that never comes.
    const fail = (error: unknown): never => {
      incoming.socket.destroy();
      throw error;
    };
    try {
      answer({ method, path: url, body }, headers.authorization)
        .then((given) => send(given, incoming, response))
        .catch(fail);
    } catch (error) {
      fail(error);
    }
  });
}

/** Like the real service, it closes the connection after each reply. */
function send(answer: Answer, { socket }: IncomingMessage, response: ServerResponse): void {
  if (answer === 'hang') return;
  if (answer === 'reset') socket.resetAndDestroy();
  else if (answer === 'garbage') socket.end('garbage, not HTTP\r\n\r\n');
  else {
    response.useChunkedEncodingByDefault = false;
    response.writeHead(answer.status, { 'Content-Type': 'application/json', Connection: 'close' });
    response.end(JSON.stringify(answer.json));
  }
}

/** The argument of a call; a `SyntaxError` if it is not JSON. */
function parseBody(url: string, text: string): unknown {
  const query = /\?json=(.*)$/u.exec(url)?.[1];
  try {
    if (query !== undefined) return JSON.parse(decodeURIComponent(query));
    return text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    return error instanceof SyntaxError ? error : new SyntaxError(String(error));
  }
}
