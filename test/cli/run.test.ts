import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runIn } from './host.js';

const outcome = (...args: string[]) => runIn({ columns: 80 }, args);
const COMMANDS = ['status', 'doctor', 'repair', 'detach', 'forget', 'plan', 'fake'];

describe('--help', () => {
  test.each([[[]], [['--help']], [['help']]])('lists the commands: %j', async (args) => {
    const { code, stdout } = await outcome(...args);
    expect([code, stdout.match(/(?<=^ {2})\w+/gmu)]).toEqual([0, COMMANDS]);
  });

  test.each(COMMANDS)('of %s breaks between words, and has an example', async (command) => {
    const { code, stdout } = await outcome(command, '--help');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Examples:\n {2}storpool-attachdb/u)]);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const wide = (await runIn({ columns: 1000 }, [command, '--help'])).stdout;
    const narrow = (await runIn({ columns: 50 }, [command, '--help'])).stdout;
    expect(wide).toBe(stdout);
    expect(narrow.split(/\s+/u)).toEqual(stdout.split(/\s+/u));
  });

  test('the version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect((await outcome('--version')).stdout).toBe(`${version}\n`);
  });
});

describe('run() ends with 2 and says why', () => {
  test.each([
    [['mend'], /no command "mend"/u],
    [['status', '--fix'], /status: Unknown option '--fix'\n/u],
    [['fake', '--json'], /fake: Unknown option '--json'\n/u],
    [['status', 'x'], /unexpected argument "x"/u],
    [['plan', 'a', 'b'], /unexpected argument "b"/u],
    [['plan', '--detach', 'os-1'], /--detach needs the request/u],
    [['detach'], /detach needs REQUEST…/u],
    [['detach', 'a', '--force', 'always'], /never or unshared/u],
    [['forget', 'a', '--json'], /--json needs --yes or --dry-run/u],
    [['repair', '--json'], /--json needs --yes or --dry-run/u],
    [['status', '--set', 'secret'], /KEY=VALUE/u],
    [['doctor', '--set', '=secret'], /KEY=VALUE/u],
    [['status', '--config'], /--config/u],
    [['status', '--timeout', '0'], /--timeout takes seconds, not "0"/u],
    [['status', '--json', '--watch'], /cannot be used together/u],
    [['doctor', '--yes'], /--yes needs --fix/u],
    [['doctor', '--fix', '--json'], /needs --yes/u],
    [['fake', '--port', 'x'], /--port takes a number, not "x"/u],
  ])('%j', async (args, why) => {
    const { code, stdout, stderr } = await outcome(...args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(why)]);
    expect(stderr).not.toContain('secret');
  });
});

test('fake serves until it is interrupted', async () => {
  const interrupted = new AbortController();
  let shown = '';
  const write = (output: string) => {
    shown += output;
    const [, address] = /listens on (\S+)\. /u.exec(output) ?? [];
    if (address === undefined) return;
    const [, conf = ''] = /--config (\S+)/u.exec(output) ?? [];
    expect(readFileSync(conf, 'utf8')).toMatch(/^SP_OURID=7\nSP_AUTH_TOKEN=x\n/u);
    const reply = fetch(`http://${address}/ctrl/1.0/VolumesList`, {
      headers: { Authorization: 'Storpool v1:x' },
    });
    reply.then((answer) => answer.text()).then(() => interrupted.abort());
  };
  const args = ['fake', '--token', 'x', '--volumes', 'os-1', '--client-id', '7', '--device-delay', '1'];
  expect((await runIn({ write, signal: interrupted.signal }, args)).code).toBe(0);
  expect(shown).toMatch(/volume: 'os-1'.*GET \/ctrl\/1\.0\/VolumesList 200/su);
});

test('run() does not let what others wrote speak to the terminal', async () => {
  expect((await outcome('status', '--config', '/nothing/\x1b[2J')).stderr).toContain('/nothing/�[2J');
});

describe('the program stands on the public API', () => {
  const filesOf = (dir: string) =>
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(dir, name));
  const importsOf = (file: string) =>
    [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\(? ?'([^']+)'/gu)].map(
      (match) => match[1] as string,
    );

  test('it imports nothing else of the library', () => {
    const imports = filesOf('src/cli').flatMap((file) =>
      importsOf(file).map((from) => join(file, '..', from)),
    );
    const ofTheLibrary = imports.filter((path) => path.startsWith('src/') && !path.startsWith('src/cli/'));
    expect(new Set(ofTheLibrary)).toEqual(new Set(['src/index.js', 'src/testing/index.js']));
  });

  test('and nothing of the library imports it', () => {
    const library = filesOf('src').filter((file) => !file.startsWith('src/cli'));
    expect(library.flatMap(importsOf).filter((from) => from.includes('cli/'))).toEqual([]);
  });
});
