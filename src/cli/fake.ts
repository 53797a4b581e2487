import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeReply, FakeStorPool } from '../testing/index.js';
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
  const testing = await import('../testing/index.js');
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'storpool-fake-'));
  const deviceDir = join(dir, 'dev');
  const service = await testing.FakeStorPool.start({
    port: number('port', 0),
    volumes: names(options.volumes ?? 'os--volume-1,os--volume-2'),
    snapshots: names(options.snapshots ?? 'os--volsnap-1--req-1'),
    templates: names(options.templates ?? 'hybrid'),
    clientId: number('client-id', 1),
    token: options.token,
    deviceDir,
    byIdDir: `${deviceDir}-byid`,
    deviceDelay: number('device-delay', 0),
    onReply: (reply) => terminal.write(`${paint('dim', new Date().toISOString())} ${logLine(reply)}\n`),
  });
  try {
    makeHost(dir, service.config);
    terminal.write(greeting(service, dir));
    if (!terminal.signal.aborted) await once(terminal.signal, 'abort');
  } finally {
    await service.close();
    if (options.dir === undefined) rmSync(dir, { recursive: true });
  }
  return 0;
}

function logLine({ method, path, body, status, duration }: FakeReply): string {
  const argument = body === undefined ? '' : ` ${JSON.stringify(body)}`;
  return harmless(`${method} ${path} ${status} ${duration.toFixed(1)} ms${argument}`);
}

/** What a host has besides devices: its configuration and the cache. */
function makeHost(dir: string, config: Record<string, string>): void {
  mkdirSync(dir, { recursive: true });
  const lines = Object.entries(config).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(dir, 'storpool.conf'), lines.join(''), { mode: 0o600 });
  const cache = join(dir, 'cache.json');
  if (!existsSync(cache)) writeFileSync(cache, '{}');
}

function greeting({ port, volumes }: FakeStorPool, dir: string): string {
  const [config = '', file = '', deviceDir = ''] = ['storpool.conf', 'cache.json', 'dev'].map((name) =>
    join(dir, name),
  );
  const options = ['--config', config, '--file', file, '--device-dir', deviceDir].map(shellWord).join(' ');
  const volume = volumes[0]?.name ?? 'os--volume-1';
  const quoted = (word: string) => `'${word.replace(/['\\]/gu, '\\$&')}'`;
  return `A fake StorPool service listens on 127.0.0.1:${port}. In another terminal, in this directory, type

npx storpool-attachdb status ${options}

or save this as try.mjs, and type "node try.mjs":

import { AttachDB } from 'storpool-spopenstack';

const db = new AttachDB({
  log: console,
  config: { file: ${quoted(config)} },
  fname: ${quoted(file)},
  deviceDir: ${quoted(deviceDir)},
});
console.log(await db.attach('r1', { volume: ${quoted(volume)}, rights: 2 }));
console.log(await db.status());
console.log(await db.detach('r1'));

Ctrl-C ends it. The requests:
`;
}
