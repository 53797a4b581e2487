import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach } from 'vitest';
import { run } from '../../src/cli/run.js';
import type { Terminal } from '../../src/cli/terminal.js';
import { Api, SPConfig } from '../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../src/testing/index.js';
import { useTempDir } from '../lib/temp-dir.js';

/** What the drivers write into the cache. */
export const entry = (id: string, volume: string, changes: object = {}) => ({
  [id]: { volume, type: 'cinder', id, rights: 2, volsnap: false, ...changes },
});

/** Runs a command in this process. */
export async function runIn(terminal: Partial<Terminal>, args: string[]) {
  const [out, err]: [string[], string[]] = [[], []];
  const code = await run(args, {
    columns: Number.POSITIVE_INFINITY,
    rows: Number.POSITIVE_INFINITY,
    colour: false,
    signal: new AbortController().signal,
    write: (output) => out.push(output),
    writeError: (output) => err.push(output),
    ...terminal,
  });
  const stdout = out.join('');
  return { code, stdout, stderr: err.join(''), json: () => JSON.parse(stdout) };
}

/** A host with a configuration, a cache and devices of its own, and a cluster. */
export function useHost(options: FakeStorPoolOptions) {
  const path = useTempDir();
  let fake: FakeStorPool;
  const file = () => path('spool/cache.json');
  beforeEach(async () => {
    for (const dir of ['spool', 'dev']) mkdirSync(path(dir));
    chmodSync(path('spool'), 0o2770);
    fake = await FakeStorPool.start({ ...options, deviceDir: path('dev') });
    writeFileSync(
      path('storpool.conf'),
      Object.entries(fake.config)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
      { mode: 0o640 },
    );
    writeCache({});
  });
  afterEach(() => fake.close());

  const writeCache = (content: object | string) => {
    writeFileSync(file(), typeof content === 'string' ? content : JSON.stringify(content));
    chmodSync(file(), 0o660);
  };
  const args = () => ['--config', path('storpool.conf'), '--file', file(), '--device-dir', path('dev')];

  const cli = (command: string, more: string[] = [], terminal: Partial<Terminal> = {}) =>
    runIn(terminal, [command, ...args(), ...more]);

  return {
    path,
    file,
    fake: () => fake,
    api: () => Api.fromConfig(new SPConfig({ overrideConfig: fake.config })),
    writeCache,
    readCache: () => JSON.parse(readFileSync(file(), 'utf8')),
    args,
    cli,
    /** The checks that find a fault, and what they say. */
    async faults(more: string[] = []) {
      const { json } = await cli('doctor', ['--json', ...more]);
      const { checks } = json() as {
        checks: { check: string; state: string; message: string; remedy: string; command: string }[];
      };
      return checks
        .filter(({ state }) => state === 'fault')
        .map(({ check, message, remedy, command }) => [check, [message, remedy, command].join(' ')]);
    },
  };
}
