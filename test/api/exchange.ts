import { type HttpRequest, send } from '../../src/api/transport.js';
import { type RawReply, serve, server } from './raw-server.js';

/** Nothing listens there, on any machine that these tests run on. */
export const CLOSED_PORT = 1;

export const BASE: HttpRequest = {
  host: '127.0.0.1',
  port: CLOSED_PORT,
  source: undefined,
  method: 'GET',
  path: '/ctrl/1.0/VolumesList',
  headers: { Authorization: 'Storpool v1:token' },
  body: undefined,
  timeout: 10_000,
  maxReplySize: 1_000_000,
  signal: undefined,
};

/** Sends one request to a server of its own. */
export async function exchange(reply: RawReply, request: Partial<HttpRequest> = {}) {
  const { port } = await serve(reply);
  return send({ ...BASE, port, ...request });
}

/** What the errors call the request. */
export const what = () => `GET /ctrl/1.0/VolumesList at 127.0.0.1:${server?.port}`;
