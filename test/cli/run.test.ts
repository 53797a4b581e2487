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
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  test.each(COMMANDS)('of %s fits into 80 columns', async (command) => {
    const { code, stdout } = await outcome(command, '--help');
    const shape = new RegExp(
      `^storpool-attachdb ${command} \\[options\\].*\\n\\n(\\w.*\\n)+\\n( {2}--.+\\n)+`,
      'u',
    );
    expect([code, stdout]).toEqual([0, expect.stringMatching(shape)]);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
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
    [['status', 'x'], /unexpected argument "x"/u],
    [['plan', 'a', 'b'], /unexpected argument "b"/u],
    [['plan', '--detach', 'os-1'], /--detach needs the request/u],
    [['detach'], /detach: which REQUEST\?/u],
    [['detach', 'a', '--force', 'always'], /never or unshared/u],
    [['forget', 'a', '--json'], /needs --yes or --dry-run/u],
    [['repair', '--json'], /needs --yes or --dry-run/u],
    [['status', '--set', 'secret'], /KEY=VALUE/u],
    [['doctor', '--set', '=secret'], /KEY=VALUE/u],
    [['status', '--config'], /--config/u],
    [['status', '--timeout', '0'], /--timeout takes seconds/u],
    [['status', '--json', '--watch'], /cannot be used together/u],
    [['doctor', '--yes'], /--yes needs --fix/u],
    [['doctor', '--fix', '--json'], /needs --yes/u],
    [['fake', '--port', 'x'], /--port takes a number/u],
  ])('%j', async (args, why) => {
    const { code, stdout, stderr } = await outcome(...args);
    expect([code, stdout, stderr]).toEqual([2, '', expect.stringMatching(why)]);
    expect(stderr).not.toContain('secret');
  });
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
    [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\(? ?'([^']+)'/gu)].map(([, from = '']) => from);

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
