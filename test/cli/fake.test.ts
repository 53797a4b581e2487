import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { useTempDir } from '../lib/temp-dir.js';
import { runIn } from './host.js';

const path = useTempDir();
let program: ChildProcess | undefined;
let output: string;

async function start(...args: string[]) {
  program = spawn(process.execPath, [resolve('dist/cli/main.js'), 'fake', ...args], {
    cwd: path(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  output = '';
  program.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await expect.poll(() => output).toContain('Ctrl-C ends it');
}

async function end() {
  const ended = once(program as ChildProcess, 'exit');
  program?.kill('SIGTERM');
  return await ended;
}

afterEach(async () => {
  if (program?.exitCode === null) await end();
});

/** As in a project that has installed the package. */
function run(...args: string[]): string {
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: path(), encoding: 'utf8' });
  return stdout + stderr;
}

test.each([
  { dir: 'try', args: ['--dir', 'try', '--token', "it's"] },
  { dir: undefined, args: [] },
])(
  'fake $args: the line and the code that it prints work as they are',
  async ({ dir, args }) => {
    await start(...args);
    mkdirSync(path('node_modules'));
    symlinkSync(resolve('.'), path('node_modules/storpool-spopenstack'));
    const conf = /--config (\S+)/u.exec(output)?.[1] ?? '';
    expect(existsSync(path(conf)) || existsSync(conf)).toBe(true);
    if (dir) expect(conf).toBe(join(dir, 'storpool.conf'));

    writeFileSync(path('try.mjs'), /^import [\s\S]*?(?=\nCtrl-C)/mu.exec(output)?.[0] ?? '');
    const printed = run('try.mjs');
    expect(printed).toContain('alreadyAttached: false');
    expect(printed).toContain("verdict: 'ok'");
    expect(printed).toContain("outcome: 'detached'");
    await expect.poll(() => output).toMatch(/Z POST \/ctrl\/1\.0\/VolumesReassign 200 \d+\.\d ms \[\{/u);

    const [line = '', status = ''] = /^npx storpool-attachdb (.*)$/mu.exec(output) ?? [];
    if (dir) expect(readFileSync('README.md', 'utf8')).toContain(`\n${line}\n`);
    expect(run(resolve('dist/cli/main.js'), ...status.split(' '))).toContain('0 volumes');

    expect(await end()).toEqual([0, null]);
    if (dir) expect(readFileSync(path('try/cache.json'), 'utf8')).toBe('{}');
    else expect(existsSync(dirname(conf))).toBe(false);
  },
  40_000,
);

test.each([
  ['a directory of its own', []],
  ['--dir', ['--dir', 'given', '--port', '0', '--client-id', '3', '--device-delay', '1']],
  [
    'lists',
    ['--dir', 'lists', '--volumes', '', '--snapshots', 'os--s', '--templates', 'a,b', '--token', '7'],
  ],
])('fake answers until Ctrl-C, and ends with 0: %s', async (_what, args) => {
  const ended = new AbortController();
  const given = args.map((word, at) => (args[at - 1] === '--dir' ? path(word) : word));
  let port = '';
  let shown = '';
  const write = async (output: string) => {
    shown += output;
    if (port !== '') return ended.abort();
    port = /127\.0\.0\.1:(\d+)/u.exec(output)?.[1] ?? '';
    await fetch(`http://127.0.0.1:${port}/ctrl/1.0/VolumesList`, { method: 'GET' });
  };
  expect((await runIn({ signal: ended.signal, write }, ['fake', ...given])).code).toBe(0);
  expect(shown).toMatch(/GET .*VolumesList \d+/u);
  const conf = /--config (\S+)/u.exec(shown)?.[1] ?? '';
  expect(existsSync(conf)).toBe(args.length > 0);
});
