import { once } from 'node:events';
import type { Outcome } from './run.js';
import { harmless, paint, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

export async function fake(options: Options, terminal: Terminal): Promise<Outcome> {
  const names = (given: string) => given.split(',').filter(Boolean);
  // No other command needs it.
  const { FakeStorPool } = await import('../testing/index.js');
  const service = await FakeStorPool.start({
    port: Number(options.port ?? 0),
    volumes: names(options.volumes ?? 'os--volume-1,os--volume-2'),
    snapshots: names(options.snapshots ?? 'os--volsnap-1--req-1'),
    templates: names(options.templates ?? 'hybrid'),
    clientId: Number(options['client-id'] ?? 1),
    token: options.token,
    deviceDir: options['device-dir'],
    deviceDelay: Number(options['device-delay'] ?? 0),
    onReply({ method, path, body, status, duration }) {
      const words = `${method} ${path} ${status} ${duration.toFixed(1)} ms ${JSON.stringify(body) ?? ''}`;
      terminal.write(`${paint(terminal, 'dim', new Date().toISOString())} ${harmless(words.trimEnd())}\n`);
    },
  });
  const { SP_OURID, ...environment } = service.config;
  const address = `${environment['SP_API_HTTP_HOST']}:${environment['SP_API_HTTP_PORT']}`;
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${shellWord(value)}\n`);
  terminal.write(`A fake StorPool service listens on ${address}. Ask it something:

curl -H ${shellWord(`Authorization: Storpool v1:${environment['SP_AUTH_TOKEN']}`)} http://${address}/ctrl/1.0/VolumesList

Point a program at it (the client ID goes into its storpool.conf: SP_OURID=${SP_OURID}):

${exports.join('')}
Ctrl-C ends it. The requests:
`);
  if (!terminal.signal.aborted) await once(terminal.signal, 'abort');
  await service.close();
  return { code: 0 };
}
