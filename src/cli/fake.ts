import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Outcome } from './outcome.js';
import { harmless, paint, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

export async function fake(options: Options, terminal: Terminal): Promise<Outcome> {
  const names = (given: string) => given.split(',').filter(Boolean);
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'storpool-fake-'));
  const [conf, cache, dev] = [join(dir, 'storpool.conf'), join(dir, 'cache.json'), join(dir, 'dev')];
  // No other command needs it.
  const { FakeStorPool } = await import('../testing/index.js');
  const service = await FakeStorPool.start({
    port: Number(options.port ?? 0),
    volumes: names(options.volumes ?? 'os--volume-1,os--volume-2'),
    snapshots: names(options.snapshots ?? 'os--volsnap-1--req-1'),
    templates: names(options.templates ?? 'hybrid'),
    clientId: Number(options['client-id'] ?? 1),
    token: options.token,
    deviceDir: dev,
    byIdDir: `${dev}-byid`,
    deviceDelay: Number(options['device-delay'] ?? 0),
    onReply({ method, path, body, status, duration }) {
      const words = `${method} ${path} ${status} ${duration.toFixed(1)} ms ${JSON.stringify(body) ?? ''}`;
      terminal.write(`${paint(terminal, 'dim', new Date().toISOString())} ${harmless(words.trimEnd())}\n`);
    },
  });
  try {
    mkdirSync(dir, { recursive: true });
    // As on a host, so that doctor finds no fault.
    chmodSync(dir, 0o770);
    const settings = Object.entries(service.config).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(conf, settings.join(''), { mode: 0o600 });
    if (!existsSync(cache)) writeFileSync(cache, '{}');
    chmodSync(cache, 0o660);
    const type = ['--config', conf, '--file', cache, '--device-dir', dev].map(shellWord).join(' ');
    const quoted = (word = '') => `'${word.replace(/['\\]/gu, '\\$&')}'`;
    terminal.write(`A fake StorPool service listens on 127.0.0.1:${service.port}. In another terminal, in this directory, type

npx storpool-attachdb status ${type}

or save this as try.mjs, and type "node try.mjs":

import { AttachDB } from 'storpool-spopenstack';

const db = new AttachDB({
  log: console,
  config: { file: ${quoted(conf)} },
  fname: ${quoted(cache)},
  deviceDir: ${quoted(dev)},
});
console.log(await db.attach('r1', { volume: ${quoted(service.volumes[0]?.name ?? 'os--volume-1')}, rights: 2 }));
console.log(await db.status());
console.log(await db.detach('r1'));

Ctrl-C ends it. The requests:
`);
    if (!terminal.signal.aborted) await once(terminal.signal, 'abort');
  } finally {
    await service.close();
    if (options.dir === undefined) rmSync(dir, { recursive: true });
  }
  return { code: 0 };
}
