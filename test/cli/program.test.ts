import { type ExecFileOptions, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { entry, useHost } from './host.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MAIN = at('../../dist/cli/main.js');
const GROUP = 61_100;

const uuid = (at: number) => `2f1c7a3e-1111-4222-8333-${String(at).padStart(12, '0')}`;
const names = (count: number) => Array.from({ length: count }, (_, at) => `os--volume-${uuid(at)}`);
const requestsFor = (volumes: string[]) =>
  Object.assign({}, ...volumes.map((volume, n) => entry(`r${n}`, volume)));
const volumes = names(3);
const host = useHost({ volumes, attachments: volumes.slice(1).map((volume) => ({ volume })) });
const healthy = () => host.writeCache(requestsFor(volumes.slice(1)));

const program = (command: string, args: string[], options: ExecFileOptions = {}) =>
  new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const limits = { encoding: 'utf8', maxBuffer: 10_000_000, killSignal: 'SIGKILL' } as const;
    execFile(command, args, { ...options, ...limits }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

/** In a terminal of 24 rows. */
async function inTerminal(args: string[], dialogue: [string, string][] = [], env = {}, columns = 80) {
  const argv = [process.execPath, MAIN, ...args, ...host.args()];
  const script = [at('terminal.py'), String(columns), '24', JSON.stringify([argv, dialogue])];
  const options = { env: { ...process.env, NO_COLOR: '', ...env } };
  const { stdout } = await program('python3', script, options);
  return JSON.parse(stdout) as { code: number; shown: string };
}

const CSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'gu');
const linesOf = (shown: string) => shown.replace(CSI, '').split('\r\n');

test('the package has it as a program', () => {
  const { bin } = JSON.parse(readFileSync(at('../../package.json'), 'utf8'));
  expect(bin).toEqual({ 'storpool-attachdb': 'dist/cli/main.js' });
  expect(readFileSync(MAIN, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/u);
});

describe('in a terminal', () => {
  const fits = 'status of 5,000 volumes fits into %d columns, in colour, and cuts no name';
  test.each([80, 120])(fits, async (columns) => {
    host.writeCache({ ...requestsFor(names(4999)), ...entry('last', volumes[1] as string) });
    const { code, shown } = await inTerminal(['status'], [], {}, columns);
    expect([code, Math.max(...linesOf(shown).map((line) => line.length)) <= columns]).toEqual([1, true]);
    expect(shown).toMatch(/4999 volumes: 1 not attached; 4996 stale; 2 ok/u);
    expect(shown).toContain(`\x1b[32mok`);
    expect(shown).toContain(volumes[2]);
  });

  test('status --watch draws what fits until Ctrl-C, which leaves no lock behind', async () => {
    host.writeCache(requestsFor(names(100)));
    const { code, shown } = await inTerminal(['status', '--watch'], [['100 volumes', '\x03']]);
    expect(code).toBe(0);
    const lines = linesOf(shown);
    expect(lines.length).toBeLessThanOrEqual(25);
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d {2}Every 2 s/u);
    expect(existsSync(`${host.file()}.lock`)).toBe(false);
  });

  const answers = '%s asks: Ctrl-C does nothing, and "y" does it; NO_COLOR is plain';
  test.each([['doctor', '--fix'], ['repair'], ['forget', 'r1']])(answers, async (...args) => {
    const before = JSON.stringify({ ...requestsFor(volumes.slice(1)), ...entry('gone', 'os-gone') });
    const torn = args[0] === 'repair' ? before.slice(0, -1) : before;
    const answer = async (words: string) => {
      host.writeCache(torn);
      const { code, shown } = await inTerminal(args, [['Do it? [y/N]', words]], { NO_COLOR: '1' });
      const isLocked = existsSync(`${host.file()}.lock`);
      return [code, readFileSync(host.file(), 'utf8') === torn, isLocked, shown.includes('\x1b[3')];
    };
    expect(await answer('\x03')).toEqual([130, true, false, false]);
    expect(await answer('y\r')).toEqual([0, false, false, false]);
  });
});

test('a Python service has the lock: status and doctor say which process', async () => {
  healthy();
  const hold = `import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)`;
  const child = spawn('python3', ['-c', hold, host.file()], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data');
    const words = expect.stringMatching(`process ${child.pid} has the kernel lock \\(.*python`);
    const short = ['--timeout', '0.2'];
    expect(await host.cli('status', short)).toMatchObject({ code: 3, stderr: words });
    expect(await host.faults(short)).toEqual([['lock', words]]);
  } finally {
    child.kill('SIGKILL');
  }
});

test('who reads only the beginning gets it without a complaint', async () => {
  host.writeCache(requestsFor(names(1500)));
  const args = ['-c', '"$0" "$@" | head -n 1', process.execPath, MAIN, 'status', ...host.args()];
  const { stdout, stderr } = await program('sh', args);
  expect([stdout, stderr]).toEqual([expect.stringMatching(/^VOLUME .*REQUESTS\n$/u), '']);
});

test('a host with neither koffi nor the flock program', async () => {
  healthy();
  mkdirSync(host.path('bin'));
  symlinkSync('/usr/bin/stat', host.path('bin/stat'));
  const args = ['--import', at('../lib/without-koffi.mjs'), MAIN, 'doctor', '--json', ...host.args()];
  const { code, stdout } = await program(process.execPath, args, { env: { PATH: host.path('bin') } });
  const faults = JSON.parse(stdout).checks.filter(({ state }: { state: string }) => state === 'fault');
  expect([code, faults.map(({ check }: { check: string }) => check)]).toEqual([1, ['lock']]);
  expect(faults[0].message).toMatch(/install the npm package koffi or the flock program/u);
});

test.each(['status', 'plan', 'repair', 'doctor'])(
  '%s names a pipe, and does not wait for it',
  async (command) => {
    healthy();
    execFileSync('mkfifo', [host.path('pipe')]);
    for (const option of ['--file', '--config']) {
      if (command === 'repair' && option === '--config') continue;
      const args = [MAIN, command, ...host.args(), option, host.path('pipe')];
      const { code, stdout, stderr } = await program(process.execPath, args, { timeout: 20_000 });
      const said = expect.stringMatching(/no(t a)? regular file|named pipe/u);
      expect([code, stdout + stderr]).toEqual([command === 'doctor' ? 1 : 3, said]);
    }
  },
);

describe.runIf(process.getuid?.() === 0)('as a user of a service', () => {
  let copy = '';
  // The checkout may lie below a directory that only its owner may enter.
  beforeAll(async () => {
    const { readableCopy } = await import(at('../lib/readable-copy.mjs'));
    copy = readableCopy();
  });
  afterAll(() => rmSync(copy, { recursive: true }));
  /** It changes its user itself, because Node.js may lie below such a directory, too. */
  const as = (gid: number, command: string) => {
    const main = JSON.stringify(join(copy, 'dist/cli/main.js'));
    const change = `process.setgroups([]); process.setgid(${gid}); process.setuid(61001)`;
    const run = `${change}; process.argv.splice(1, 0, ${main}); await import(${main})`;
    return program(process.execPath, ['--input-type=module', '-e', run, '--', command, ...host.args()]);
  };
  const deploy = (dirMode: number, fileMode: number) => {
    healthy();
    chmodSync(host.path(), 0o755);
    for (const path of [host.path('spool'), host.file(), host.path('storpool.conf')])
      chownSync(path, 0, GROUP);
    chmodSync(host.path('spool'), dirMode);
    chmodSync(host.file(), fileMode);
  };

  test('in the group all is well', async () => {
    deploy(0o2770, 0o660);
    expect(await as(GROUP, 'doctor')).toMatchObject({ code: 0 });
  });

  test('who is not in the group may use neither the configuration nor the directory', async () => {
    deploy(0o2770, 0o660);
    const { code, stdout } = await as(61_001, 'doctor');
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/\(EACCES\)\n +→ Put user 61001 into the group/u),
    ]);
    expect(stdout).toMatch(/EACCES.*\n +→ Correct it.*\n +\$ .*chgrp spopenstack \S+; chmod g\+r /u);
    chmodSync(host.path('storpool.conf'), 0o644);
    const refused = { code: 3, stderr: expect.stringMatching(/EACCES.*Let this user be in the group/u) };
    expect(await as(61_001, 'status')).toMatchObject(refused);
  });
});
