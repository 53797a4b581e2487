import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach } from 'vitest';

/** Sends whatever it likes, on a connection that has brought one whole request. */
export type RawReply = (socket: Socket, attempt: number) => void;

/** A loopback server that keeps what it gets byte by byte, and answers with raw bytes. */
export interface RawServer extends AsyncDisposable {
  readonly port: number;
  /** The requests, whole, as Latin-1 text: a byte is a character. */
  readonly requests: string[];
  /** The connections that are open now. */
  readonly open: ReadonlySet<Socket>;
  /** The addresses that the connections came from. */
  readonly peers: string[];
  close(): Promise<void>;
}

/** @param reply - called for each request; `attempt` counts from 0 */
export async function rawServer(reply: RawReply): Promise<RawServer> {
  const requests: string[] = [];
  const open = new Set<Socket>();
  const peers: string[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    peers.push(socket.remoteAddress ?? '');
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => undefined);
    socket.on('end', () => socket.end());
    let text = '';
    let answered = false;
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (answered || !isWhole(text)) return;
      answered = true;
      requests.push(text);
      reply(socket, requests.length - 1);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of open) socket.destroy();
    await closed;
  };
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    open,
    peers,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The server of the present test. */
export let server: RawServer | undefined;

/** Closes it after each test of a file. */
export function useServer(): void {
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });
}

/** Starts {@link server}. */
export async function serve(reply: RawReply): Promise<RawServer> {
  server = await rawServer(reply);
  return server;
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return false;
  const length = /^content-length: *(\d+)/imu.exec(text)?.[1] ?? '0';
  return text.length - end - 4 >= Number(length);
}

/** The bytes of an HTTP/1.0 reply, as the real service sends it: its end is that of the connection. */
export const http10 = (status: number, body: string | Buffer, type = 'application/json'): Buffer =>
  Buffer.concat([
    Buffer.from(`HTTP/1.0 ${status} Whatever\r\nContent-Type: ${type}\r\nConnection: close\r\n\r\n`),
    Buffer.from(body),
  ]);

/** Answers every request in that way. */
export const always =
  (status: number, body: string | Buffer, type?: string): RawReply =>
  (socket) =>
    socket.end(http10(status, body, type));

/** Answers every request with that result. */
export const succeed = (data: unknown): RawReply => always(200, JSON.stringify({ generation: 1, data }));

/** Refuses every request with that error. */
export const refuse = (status: number, error: unknown): RawReply => always(status, JSON.stringify({ error }));

/** A request, taken apart: its first line, its header lines in alphabetic order, its body. */
export function parts(request: string | undefined): { line: string; headers: string[]; body: string } {
  const [head = '', ...body] = (request ?? '').split('\r\n\r\n');
  const [line = '', ...headers] = head.split('\r\n');
  return { line, headers: headers.sort(), body: Buffer.from(body.join('\r\n\r\n'), 'latin1').toString() };
}
