import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The torture programs, each in a short form that finds what is broken at all. */
const PROGRAMS: [program: string, options: string][] = [
  ['holders', '--block 12500 --rounds 3 --within 1000 --together 8'],
  ['holders', '--block 12500 --rounds 3 --within 1000 --together 8 --locker flock'],
  ['kill', '--kills 16 --entries 50,2000 --aimed 0.6 --within 1000 --worst 1900'],
  ['kill', '--kills 16 --entries 50,2000 --aimed 0.6 --within 1000 --worst 1900 --locker flock'],
  ['calls', '--only add --faults SIGKILL,EIO --every 11'],
  ['calls', '--only finishOfEarlierVersion --faults SIGKILL,EIO --every 11 --locker flock'],
  ['neighbours', '--changes 30 --rounds 6'],
  ['contention', '--python 2 --changes 20 --seconds 6'],
  ['chaos', '--seconds 15 --round 5'],
  ['disks', '--rounds 8 --size 64'],
  ['users', ''],
  ['users', '--locker flock --umask 022'],
];

test.concurrent.each(PROGRAMS)(
  '%s.mjs %s holds',
  async (name, options) => {
    const program = fileURLToPath(new URL(`${name}/${name}.mjs`, import.meta.url));
    const output = await new Promise<string>((resolve) => {
      execFile(
        process.execPath,
        [program, '--json', ...options.split(' ').filter(Boolean)],
        (error, stdout) => resolve(stdout || String(error)),
      );
    });
    expect(JSON.parse(output)).toMatchObject({ program: name, ok: true, violations: [] });
  },
  // Long enough for the slowest machine; the programs have bounds of their own.
  180_000,
);
