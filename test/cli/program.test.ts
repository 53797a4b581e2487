import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { entry, useHost } from './host.js';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const MAIN = at('../../dist/cli/main.js');
const GROUP = 61_100;

const names = (count: number) =>
  Array.from(
    { length: count },
    (_, n) => `os--volume-2f1c7a3e-1111-4222-8333-${String(n).padStart(12, '0')}`,
  );
const requestsFor = (volumes: string[]) =>
  Object.assign({}, ...volumes.map((volume, n) => entry(`r${n}`, volume)));
const volumes = names(3);
const host = useHost({ volumes, attachments: volumes.slice(1).map((volume) => ({ volume })) });
const healthy = () => host.writeCache(requestsFor(volumes.slice(1)));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** @param timeout - milliseconds until it is killed */
const program = (command: string, args: string[], env: Record<string, string> = {}, timeout = 0) =>
  new Promise<Outcome>((resolve) => {
    const limits = { maxBuffer: 10_000_000, timeout, killSignal: 'SIGKILL' } as const;
    const options = { env: { ...process.env, ...env }, ...limits };
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });

/** In a terminal of 80 columns and 24 rows. */
async function inTerminal(
  args: string[],
  dialogue: [string, string][] = [],
  env: Record<string, string> = {},
) {
  const argv = [process.execPath, MAIN, ...args, ...host.args()];
  const { stdout } = await program(
    'python3',
    [at('terminal.py'), '80', '24', JSON.stringify([argv, dialogue])],
    {
      NO_COLOR: '',
      ...env,
    },
  );
  return JSON.parse(stdout) as { code: number; shown: string };
}

const running = new Set<ReturnType<typeof spawn>>();
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
});

/** Starts a program, and waits for its first words. */
async function start(command: string, args: string[]) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  running.add(child);
  await once(child.stdout, 'data');
  return child;
}

const CSI = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'gu');
const widest = (shown: string) =>
  Math.max(
    ...shown
      .replace(CSI, '')
      .split('\r\n')
      .map((line) => [...line].length),
  );

test('the package has it as a program', () => {
  const { bin } = JSON.parse(readFileSync(at('../../package.json'), 'utf8'));
  expect(bin).toEqual({ 'storpool-attachdb': 'dist/cli/main.js' });
  expect(readFileSync(MAIN, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/u);
});

describe('in a terminal', () => {
  test('5,000 volumes fit into 80 columns, in colour', async () => {
    host.writeCache({ ...requestsFor(names(4999)), ...entry('last', volumes[1] as string) });
    const { code, shown } = await inTerminal(['status']);
    expect([code, widest(shown)]).toEqual([1, 80]);
    expect(shown).toMatch(/4999 volumes: 1 not attached; 4996 stale; 2 ok/u);
    expect(shown).toContain('\x1b[32mok\x1b[39m');
  });

  test('--watch draws what fits until Ctrl-C, which leaves no lock behind', async () => {
    host.writeCache(requestsFor(names(100)));
    const { code, shown } = await inTerminal(['status', '--watch'], [['Lock: free', '\x03']]);
    expect(code).toBe(0);
    const lines = shown.replace(CSI, '').split('\r\n');
    expect(lines.length).toBeLessThanOrEqual(25);
    expect(lines[1]).toMatch(/(not attached|not in the cluster)$/u);
    expect(existsSync(`${host.file()}.lock`)).toBe(false);
  });

  test('doctor fits into 80 columns, without colour if NO_COLOR says so; Ctrl-C at the question of --fix does nothing', async () => {
    host.writeCache({ ...requestsFor(volumes.slice(1)), ...entry('gone', 'os-gone') });
    const { code, shown } = await inTerminal(['doctor', '--fix'], [['Do it? [y/N]', '\x03']], {
      NO_COLOR: '1',
    });
    expect([code, 'gone' in host.readCache()]).toEqual([130, true]);
    const output = shown.slice(0, shown.indexOf('the requests gone'));
    expect(output).toContain('remove from');
    expect(output.replace(CSI, '')).toBe(output);
    expect(output.split('\r\n').filter((line) => line.length > 80 && !line.includes('/'))).toEqual([]);
  });

  test('"y" at the question of --fix does it', async () => {
    host.writeCache({ ...requestsFor(volumes.slice(1)), ...entry('gone', 'os-gone') });
    const { code } = await inTerminal(['doctor', '--fix'], [['Do it? [y/N]', 'y\r']]);
    expect([code, 'gone' in host.readCache(), existsSync(`${host.file()}.lock`)]).toEqual([0, false, false]);
  });
});

test('a Python service has the lock: status and doctor say which process', async () => {
  healthy();
  const hold = `import fcntl, sys, time; f = open(sys.argv[1], 'r+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); time.sleep(60)`;
  const child = await start('python3', ['-c', hold, host.file()]);
  const words = new RegExp(`the kernel lock belongs to process ${child.pid} \\(python`, 'u');
  const [status, doctor] = await Promise.all([host.cli('status'), host.faults()]);
  expect(status.stdout).toMatch(words);
  expect(doctor).toEqual([['lock', expect.stringMatching(words)]]);
});

test('who reads only the beginning gets it without a complaint', async () => {
  host.writeCache(requestsFor(names(1500)));
  const command = `"$0" "$@" | head -n 1`;
  const { stdout, stderr } = await program('sh', [
    '-c',
    command,
    process.execPath,
    MAIN,
    'status',
    ...host.args(),
  ]);
  expect([stdout, stderr]).toEqual([expect.stringMatching(/^VOLUME .*VERDICT\n$/u), '']);
});

test('a host with neither koffi nor the flock program', async () => {
  healthy();
  mkdirSync(host.path('bin'));
  symlinkSync('/usr/bin/stat', host.path('bin/stat'));
  const args = ['--import', at('../lib/without-koffi.mjs'), MAIN, 'doctor', '--json', ...host.args()];
  const { code, stdout } = await program(process.execPath, args, { PATH: host.path('bin') });
  const faults = JSON.parse(stdout).checks.filter(({ state }: { state: string }) => state === 'fault');
  expect([code, faults]).toEqual([
    1,
    [
      expect.objectContaining({
        check: 'lock',
        message: expect.stringMatching(/install the npm package koffi or the flock program/u),
      }),
    ],
  ]);
});

/** Runs commands, one after the other in one process that is killed if it hangs. */
async function outcomes(commands: string[][], { root = at('../..'), user = [] as unknown[] } = {}) {
  const args = [join(root, 'test/cli/outcomes.mjs'), JSON.stringify([commands, ...user])];
  const { code, stdout, stderr } = await program(process.execPath, args, {}, 20_000);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Outcome[];
}

describe('what is no file is named, with a remedy, and nobody waits for it', () => {
  const kinds = {
    pipe: (path: string) => execFileSync('mkfifo', [path]),
    directory: (path: string) => mkdirSync(path),
    link: (path: string) => symlinkSync(host.path('nowhere'), path),
  };
  const commands = ['status', 'plan', 'doctor'];

  /** Of each kind the outcomes of all commands. */
  async function withEach(name: string, option: string) {
    healthy();
    for (const [kind, make] of Object.entries(kinds)) make(host.path(`${name}-${kind}`));
    const found = await outcomes(
      Object.keys(kinds).flatMap((kind) =>
        commands.map((command) => [command, ...host.args(), option, host.path(`${name}-${kind}`)]),
      ),
    );
    const words = found.map(({ code, stdout, stderr }) => `${code} ${stderr}${faultLines(stdout)}`);
    return words.map((line) => line.replaceAll(host.path(`${name}-`), ''));
  }
  const faultLines = (stdout: string) =>
    (stdout.match(/^.*FAULT.*\n.*→.*$/gmu) ?? []).join().replace(/\s+/gu, ' ');

  test('in the place of the cache', async () => {
    expect(await withEach('spool/cache', '--file')).toEqual([
      expect.stringMatching(/^3 .*pipe is not a regular file; "storpool-attachdb doctor" says what to do/u),
      expect.stringMatching(/^3 .*Cannot lock pipe: it is no regular file: move it away/u),
      expect.stringMatching(/^1 file FAULT pipe is not a regular file → Move it away; then echo/u),
      expect.stringMatching(
        /^3 .*directory is not a regular file; "storpool-attachdb doctor" says what to do/u,
      ),
      expect.stringMatching(/^3 .*Cannot lock directory: EISDIR.*Move it away/u),
      expect.stringMatching(/^1 file FAULT directory is not a regular file → Move it away; then echo/u),
      expect.stringMatching(/^3 .*Cannot lock link: .*It is a link that leads nowhere: correct it/u),
      expect.stringMatching(/^3 .*Cannot lock link: .*It is a link that leads nowhere: correct it/u),
      expect.stringMatching(
        /^1 file FAULT link is a link to .*nowhere, which does not exist → rm link; echo/u,
      ),
    ]);
  });

  test('in the place of the configuration', async () => {
    const [pipe, directory, link] = [
      /Cannot read pipe: it is a named pipe; put a regular file in its place/u,
      /Cannot read directory: EISDIR.*; put a regular file in its place/u,
      /link does not exist: is it a broken link\?/u,
    ].map(({ source }) => [
      expect.stringMatching(new RegExp(`^3 storpool-attachdb: ${source}\n$`, 'u')),
      expect.stringMatching(new RegExp(`^3 storpool-attachdb: ${source}\n$`, 'u')),
      expect.stringMatching(
        new RegExp(`^1 configuration FAULT ${source} → Correct it, or name another`, 'u'),
      ),
    ]);
    expect(await withEach('conf', '--config')).toEqual([pipe, directory, link].flat());
  });

  test('in the place of the files beside the cache', async () => {
    healthy();
    for (const end of ['backup', 'restored', 'holder', 'torn.1']) kinds.pipe(`${host.file()}.${end}`);
    const [status, doctor] = await outcomes([
      ['status', ...host.args()],
      ['doctor', ...host.args()],
    ]);
    expect([status?.code, doctor?.code]).toEqual([1, 1]);
    expect(faultLines(doctor?.stdout ?? '')).toMatch(/^leftovers FAULT 1 torn file .*torn\.1 \(0 bytes\)/u);
  });
});

describe.runIf(process.getuid?.() === 0)('as a user of a service', () => {
  let copy = '';
  // The checkout may lie below a directory that only its owner may enter.
  beforeAll(async () => {
    const { readableCopy } = await import(at('../lib/readable-copy.mjs'));
    copy = readableCopy();
  });
  afterAll(() => rmSync(copy, { recursive: true }));
  const as = async (uid: number, gids: number[], ...commands: string[]) => {
    const found = await outcomes(
      commands.map((command) => [command, '--json', ...host.args()]),
      { root: copy, user: [uid, gids] },
    );
    return found as [Outcome, Outcome];
  };
  const deploy = (dirMode: number, fileMode: number) => {
    healthy();
    chmodSync(host.path(), 0o755);
    for (const path of [host.path('spool'), host.file()]) chownSync(path, 0, 0);
    chmodSync(host.path('spool'), dirMode);
    chmodSync(host.file(), fileMode);
  };
  const faults = ({ stdout }: Outcome) =>
    JSON.parse(stdout)
      .checks.filter(({ state }: { state: string }) => state === 'fault')
      .map((one: { check: string; message: string; remedy: string }) => [
        one.check,
        `${one.message} ${one.remedy}`,
      ]);

  test('in the group all is well', async () => {
    deploy(0o2770, 0o660);
    expect(await as(61_001, [0], 'doctor')).toMatchObject([{ code: 0 }]);
  });

  test('who is not in the group may not use the directory', async () => {
    deploy(0o2770, 0o660);
    const [doctor, status] = await as(61_001, [GROUP], 'doctor', 'status');
    expect([doctor.code, faults(doctor)]).toEqual([
      1,
      [
        [
          'directory',
          expect.stringMatching(
            /user 61001 may not read and write it \(EACCES\) usermod -aG root user 61001/u,
          ),
        ],
      ],
    ]);
    expect(status).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/EACCES.*Let this user be in the group/u),
    });
  });

  test('who is in the group, but may not use it, is told what else there is', async () => {
    deploy(0o2770, 0o060);
    chownSync(host.file(), 61_001, 0);
    const [doctor] = await as(61_001, [0], 'doctor');
    expect(faults(doctor)).toEqual([
      [
        'file',
        expect.stringMatching(/may not read and write it \(EACCES\) Is the file system mounted read-only/u),
      ],
    ]);
  });

  test('a copy and a note of a restore that cannot be read', async () => {
    deploy(0o2770, 0o660);
    for (const end of ['backup', 'restored']) writeFileSync(`${host.file()}.${end}`, '{}', { mode: 0o600 });
    const [doctor] = await as(61_001, [0], 'doctor');
    expect(faults(doctor)).toEqual([
      ['cache', expect.stringMatching(/EACCES.*cache\.json\.backup' Give it the owner, group and mode/u)],
      ['leftovers', expect.stringMatching(/cache\.json\.restored: the cache was restored/u)],
    ]);
  });

  test('a directory that can only be read', async () => {
    deploy(0o2750, 0o660);
    const [doctor] = await as(61_001, [0], 'doctor');
    expect(faults(doctor)).toEqual([
      ['directory', expect.stringMatching(/its group may not write it chmod g\+rwx/u)],
    ]);
  });

  test('a file that can only be read is shown without the lock', async () => {
    deploy(0o755, 0o664);
    writeFileSync(`${host.file()}.lock`, '');
    const [{ code, stdout }] = await as(61_001, [GROUP], 'status');
    const { lock, volumes } = JSON.parse(stdout);
    expect([code, volumes.length, lock]).toEqual([
      0,
      2,
      { free: false, problem: expect.stringMatching(/EACCES/u) },
    ]);
  });
});
