import { once } from 'node:events';
import type { FakeReply } from '../testing/index.js';
import { harmless, painter, shellWord, type Terminal } from './terminal.js';
import { type Options, UsageError } from './usage.js';

export async function fake(options: Options, terminal: Terminal): Promise<number> {
  const number = (name: 'port' | 'client-id' | 'device-delay', usual: number) => {
    const given = options[name] ?? String(usual);
    if (/^\d+$/u.test(given)) return Number(given);
    throw new UsageError(`--${name} takes a number, not ${JSON.stringify(given)}`);
  };
  const names = (given: string) => given.split(',').filter(Boolean);
  const paint = painter(terminal);
  // No other command needs it.
  const { FakeStorPool } = await import('../testing/index.js');
  const service = await FakeStorPool.start({
    port: number('port', 0),
    volumes: names(options.volumes ?? 'os--volume-1,os--volume-2'),
    snapshots: names(options.snapshots ?? 'os--volsnap-1--req-1'),
    templates: names(options.templates ?? 'hybrid'),
    clientId: number('client-id', 1),
    token: options.token,
    deviceDir: options['device-dir'],
    deviceDelay: number('device-delay', 0),
    onReply: (reply) => terminal.write(`${paint('dim', new Date().toISOString())} ${logLine(reply)}\n`),
  });
  terminal.write(greeting(service.config));
  if (!terminal.signal.aborted) await once(terminal.signal, 'abort');
  await service.close();
  return 0;
}

function logLine({ method, path, body, status, duration }: FakeReply): string {
  const argument = body === undefined ? '' : ` ${JSON.stringify(body)}`;
  return harmless(`${method} ${path} ${status} ${duration.toFixed(1)} ms${argument}`);
}

function greeting({ SP_OURID, ...environment }: Record<string, string>): string {
  const address = `${environment['SP_API_HTTP_HOST']}:${environment['SP_API_HTTP_PORT']}`;
  const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  return `A fake StorPool service listens on ${address}. Ask it something:

curl -H ${shellWord(`Authorization: Storpool v1:${environment['SP_AUTH_TOKEN']}`)} http://${address}/ctrl/1.0/VolumesList

Point a program at it (the client ID goes into its storpool.conf: SP_OURID=${SP_OURID}):

${exports.join('\n')}

Ctrl-C ends it. The requests:
`;
}
