import { readFileSync } from 'node:fs';
import { doctor } from './doctor.js';
import { fake } from './fake.js';
import { detach, forget } from './let-go.js';
import { plan } from './plan.js';
import { repair } from './repair.js';
import { status } from './status.js';
import { harmless, type Terminal } from './terminal.js';
import { helpOf, isCommand, parseOptions, UsageError } from './usage.js';

const COMMANDS = { status, doctor, repair, detach, forget, plan, fake };

/** @returns the exit status: 0 all is well, 1 findings, 2 wrong usage, 3 it failed, 130 interrupted */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  const [command = '--help', ...rest] = args;
  try {
    if (!isCommand(command) || rest.includes('--help')) {
      terminal.write(answer(command));
      return 0;
    }
    const options = parseOptions(command, rest);
    const view: Terminal = Object.create(terminal, {
      ...(options.wide && { columns: { value: Number.POSITIVE_INFINITY } }),
      ...(options.json && { write: { value: () => undefined } }),
    });
    const { code, report } = await COMMANDS[command](options, view);
    if (options.json) terminal.write(`${asJson(report)}\n`);
    return code;
  } catch (error) {
    if (terminal.signal.aborted) return 130;
    terminal.writeError(`storpool-attachdb: ${harmless((error as Error).message)}\n`);
    if (!(error instanceof UsageError)) return 3;
    terminal.writeError(`"storpool-attachdb ${isCommand(command) ? `${command} ` : ''}--help" says more\n`);
    return 2;
  }
}

function answer(asked: string): string {
  if (isCommand(asked)) return helpOf(asked);
  if (['--help', 'help'].includes(asked)) return helpOf();
  if (asked !== '--version') throw new UsageError(`there is no command ${JSON.stringify(asked)}`);
  // The same way up from src/cli and from dist/cli.
  return `${JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version}\n`;
}

/** Without characters that control a terminal, or the direction of what it shows. */
const asJson = (report: unknown) =>
  JSON.stringify(report, null, 2).replace(
    /[\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u206f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
