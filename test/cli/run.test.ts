import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../src/cli/run.js';

async function outcome(...args: string[]) {
  let [stdout, stderr] = ['', ''];
  const code = await run(args, {
    columns: 80,
    rows: 24,
    colour: false,
    signal: new AbortController().signal,
    write: (output) => {
      stdout += output;
    },
    writeError: (output) => {
      stderr += output;
    },
  });
  return { code, stdout, stderr };
}

describe('help', () => {
  test.each([[[]], [['--help']], [['help']]])('of the program: %j', async (args) => {
    const { code, stdout } = await outcome(...args);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/status .*doctor .*plan .*fake /su)]);
  });

  test.each(['status', 'doctor', 'plan', 'fake'])(
    'of %s, with an example, in 110 columns',
    async (command) => {
      const { code, stdout } = await outcome(command, '--help');
      expect([code, stdout]).toEqual([0, expect.stringMatching(/Examples?:\n {2}storpool-attachdb/u)]);
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(110);
    },
  );

  test('the version is the package', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect((await outcome('--version')).stdout).toBe(`${version}\n`);
  });
});

describe('what makes no sense ends with 2 and says why', () => {
  test.each([
    [['mend'], /no command "mend"/u],
    [['status', '--colour'], /--colour/u],
    [['status', '--fix'], /status has no option --fix/u],
    [['status', 'x'], /unexpected argument "x"/u],
    [['plan', 'a', 'b'], /unexpected argument "b"/u],
    [['status', '--set', 'secret'], /KEY=VALUE/u],
    [['status', '--config'], /--config/u],
    [['doctor', '--set', '=secret'], /KEY=VALUE/u],
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
  const terminal = {
    columns: 80,
    rows: 24,
    colour: false,
    signal: interrupted.signal,
    writeError: () => undefined,
    write(output: string) {
      shown += output;
      const [address] = /http:\/\/\S+/u.exec(output) ?? [];
      if (address === undefined) return;
      const reply = fetch(address, { headers: { Authorization: 'Storpool v1:x' } });
      reply.then((answer) => answer.text()).then(() => interrupted.abort());
    },
  };
  const args = ['fake', '--token', 'x', '--volumes', 'os-1', '--client-id', '7', '--device-delay', '1'];
  expect(await run(args, terminal)).toBe(0);
  expect(shown).toMatch(
    /SP_OURID=7.*export SP_AUTH_TOKEN='x'\nexport SP_API_HTTP_HOST='127\.0\.0\.1'.*GET \/ctrl\/1\.0\/VolumesList 200/su,
  );
});

test('what others wrote cannot speak to the terminal', async () => {
  const { stderr } = await outcome('status', '--config', '/nothing/\x1b[2J');
  expect(stderr).toContain('/nothing/�[2J');
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
