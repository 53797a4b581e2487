import { connect } from 'node:net';
import { Api, type ApiOptions, SPConfig } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';

/** A client that does not try again. */
export const client = (fake: FakeStorPool, options: Partial<ApiOptions> = {}) =>
  Api.fromConfig(new SPConfig({ overrideConfig: fake.config }), { transientRetries: 0, ...options });

/** A port that is free, and that the system gives to nobody who does not ask for it by its number. */
export async function quietPort(): Promise<number> {
  for (let port = 20_000 + (process.pid % 10_000); ; port++) {
    try {
      await (await FakeStorPool.start({ port })).close();
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** What the server sends in return for the bytes. */
export function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}
