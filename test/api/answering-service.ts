import { afterAll, beforeAll, beforeEach } from 'vitest';
import { Api } from '../../src/index.js';
import { type RawServer, rawServer, succeed } from './raw-server.js';

/** A server for all tests of a file that answers each request with `data`, and the client of it. */
export function useService() {
  let server: RawServer;
  const service = {
    data: undefined as unknown,
    get port() {
      return server.port;
    },
    get requests() {
      return server.requests;
    },
    client: (multiCluster?: boolean) => new Api({ port: server.port, auth: 'token', multiCluster }),
  };
  beforeAll(async () => {
    server = await rawServer((socket, attempt) => succeed(service.data)(socket, attempt));
  });
  afterAll(() => server.close());
  beforeEach(() => {
    service.data = undefined;
    server.requests.length = 0;
  });
  return service;
}
