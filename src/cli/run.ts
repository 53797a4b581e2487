import { readFileSync } from 'node:fs';
import { detach, forget } from './detach.js';
import { doctor } from './doctor.js';
import { fake } from './fake.js';
import { forOperators } from './host.js';
import { plan } from './plan.js';
import { repair } from './repair.js';
import { status } from './status.js';
import { harmless, type Terminal } from './terminal.js';
import { helpOf, isCommand, parseOptions, UsageError } from './usage.js';

const COMMANDS = { status, doctor, repair, detach, forget, plan, fake };

/** @returns the exit status: 0 all is well, 1 findings, 2 wrong usage, 3 it failed, 130 interrupted */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [command = '--help', ...rest] = args;
  const print = (words: string) => {
    terminal.write(words);
    return 0;
  };
  try {
    if (command === '--help' || command === 'help') return print(helpOf(undefined, terminal.columns));
    if (command === '--version') return print(`${version()}\n`);
    if (!isCommand(command)) throw new UsageError(`there is no command ${JSON.stringify(command)}`);
    if (rest.includes('--help')) return print(helpOf(command, terminal.columns));
    return await COMMANDS[command](parseOptions(command, rest), terminal);
  } catch (error) {
    if (terminal.signal.aborted) return 130;
    terminal.writeError(`storpool-attachdb: ${harmless(forOperators((error as Error).message))}\n`);
    if (!(error instanceof UsageError)) return 3;
    const help = isCommand(command) ? `${command} --help` : '--help';
    terminal.writeError(`"storpool-attachdb ${help}" says more\n`);
    return 2;
  }
}

function version(): string {
  // The same way up from src/cli and from dist/cli.
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}
