import { readFileSync } from 'node:fs';
import { doctor } from './doctor/doctor.js';
import { fake } from './fake.js';
import { HELP, isCommand, parseOptions, UsageError } from './options.js';
import { plan } from './plan.js';
import { status } from './status.js';
import { harmless, type Terminal } from './terminal.js';

const PROGRAM = 'storpool-attachdb';

/** @returns the exit status: 0 all is well, 1 findings, 2 wrong usage, 3 it failed, 130 interrupted */
export async function run(args: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  try {
    return await dispatch(args, terminal, signal);
  } catch (error) {
    if (signal.aborted) return 130;
    const { message } = error as Error;
    terminal.writeError(`${PROGRAM}: ${harmless(message)}\n`);
    if (!(error instanceof UsageError)) return 3;
    terminal.writeError(`"${PROGRAM} --help" tells what there is\n`);
    return 2;
  }
}

async function dispatch(args: readonly string[], terminal: Terminal, signal: AbortSignal): Promise<number> {
  const [command = '--help', ...rest] = args;
  const help = (of: keyof typeof HELP) => {
    terminal.write(`${HELP[of]}\n`);
    return 0;
  };
  if (command === '--help' || command === 'help') return help('program');
  if (command === '--version') {
    terminal.write(`${version()}\n`);
    return 0;
  }
  if (!isCommand(command)) throw new UsageError(`there is no command ${JSON.stringify(command)}`);
  if (rest.includes('--help')) return help(command);
  switch (command) {
    case 'status':
      return status(parseOptions(command, rest), terminal, signal);
    case 'doctor':
      return doctor(parseOptions(command, rest), terminal, signal);
    case 'plan':
      return plan(parseOptions(command, rest), terminal, signal);
    case 'fake':
      return fake(parseOptions(command, rest), terminal, signal);
  }
}

function version(): string {
  // The same way up from src/cli and from dist/cli.
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
