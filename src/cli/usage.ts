import { parseArgs } from 'node:util';

/** The command line is invalid. */
export class UsageError extends Error {}

const HELP = '  --help             this help';
const HOST = `  --config FILE      settings, with FILE.d/*.conf; default: /etc/storpool.conf
  --section NAME     the section for this host; default: what "uname -n" says
  --set KEY=VALUE…   a setting that wins over the configuration; may be repeated
  --file CACHE       default /var/spool/openstack-storpool/openstack-attach.json
  --device-dir DIR   where the devices are; default: /dev/storpool
  --timeout SECONDS  for the API (default: 8) and for the lock (default: 15)
  --json             one JSON object, for programs
${HELP}`;
const ASKS = `  --yes              do not ask
  --dry-run          only show what would be done`;
const WIDE = '  --wide             a line for each row, however narrow the terminal is';

/** What a command takes, what it does, and its options, which are parsed as the help says them. */
const COMMANDS = {
  status: `
What the cache wants, what is attached, and where these differ.
  --watch            draw it again every two seconds, until Ctrl-C ends it
  --requests         a row for each request, with its age, not for each volume
${WIDE}
${HOST}

Example: storpool-attachdb status --json | jq '.volumes[] | select(.finding)'`,
  doctor: `
What is wrong with this host, and how to mend it.
Run it as the user of the service that has trouble.
  --fix              show what can be mended safely, ask, and do it
  --yes              with --fix: do not ask
${HOST}`,
  repair: `
Write a torn cache anew from what is whole in it or in FILE.backup.
${ASKS}
${WIDE}
${HOST}`,
  detach: `REQUEST…
Detach the volumes of requests whose owner is gone, and drop them.
  --force WHEN       detach by force what stays open: never (default), unshared
${ASKS}
${HOST}`,
  forget: `REQUEST…
Drop requests, and leave their volumes as they are.
${ASKS}
${HOST}`,
  plan: `[REQUEST]
What the next sync() of a service would do.
  --detach VOLUME    with REQUEST: the volume that it no longer needs
${HOST}`,
  fake: `
A fake StorPool host to try a program against, until Ctrl-C.
  --port N           the port; default: a free one
  --volumes A,B      the volumes; default: os--volume-1,os--volume-2
  --snapshots A,B    the snapshots; default: os--volsnap-1--req-1
  --templates A,B    the templates; default: hybrid
  --client-id N      the client ID of the host under test; default: 1
  --token STRING     the only token that is let in; default: 1234567890
  --dir DIR          for its files and devices; default: a temporary directory
  --device-delay N   milliseconds from attaching to the link; default: 0
${HELP}`,
};

export type CommandName = keyof typeof COMMANDS;
export const isCommand = (name: string): name is CommandName => Object.hasOwn(COMMANDS, name);

/** The help of a command, or of the program. */
export function helpOf(command?: CommandName): string {
  const help = command && `storpool-attachdb ${command} [options] ${COMMANDS[command]}\n`;
  if (help) return help.replace(/ ?\n/u, '\n\n').replace('\n  --', '\n\n  --');
  const rows = Object.entries(COMMANDS).map(([name, help]) => `  ${name.padEnd(8)}${help.split('\n')[1]}\n`);
  return `See and mend the attachment cache of a StorPool host.

${rows.join('')}
"storpool-attachdb COMMAND --help" shows the options of a command,
"storpool-attachdb --version" the version. NO_COLOR=1 switches colours off.
Exit status: 0 all is well, or done; 1 there are findings, or not all is done;
2 wrong usage; 3 it failed, or the API did not answer status or plan;
130 Ctrl-C, but 0 for status --watch and fake, which nothing else ends.
`;
}

type Flag = 'json' | 'yes' | 'dry-run' | 'wide' | 'watch' | 'requests' | 'fix';
type OfHost = 'config' | 'section' | 'file' | 'device-dir' | 'timeout' | 'force' | 'detach';
type OfFake = 'dir' | 'port' | 'volumes' | 'snapshots' | 'templates' | 'client-id' | 'token' | 'device-delay';
type Given = Record<Flag, boolean> & Record<OfHost | OfFake, string> & { set: string[] };
/** What was given; no command has options of another. */
export type Options = Partial<Given> & { args: string[] };

/** What values must look like, and how to say it. They are not shown, because one may be the token. */
const VALUES: Record<string, [RegExp, string]> = {
  N: [/^\d+$/u, 'a number'],
  SECONDS: [/^(?=.*[1-9])\d{0,5}(\.\d+)?$/u, 'seconds'],
  WHEN: [/^(never|unshared)$/u, 'never or unshared'],
  'KEY=VALUE…': [/^[^=]+=/u, 'KEY=VALUE'],
};

/** @throws UsageError naming the argument */
export function parseOptions(command: CommandName, args: string[]): Options {
  const help = COMMANDS[command];
  const refuseIf = (isWrong: unknown, why: string) => {
    if (isWrong) throw new UsageError(`${command}: ${why}`);
  };
  const known = [...help.matchAll(/^ {2}--(\S+) (\S+)?/gmu)];
  const options = known.map(([, name, value = '']) => {
    return [name, { type: value ? ('string' as const) : 'boolean', multiple: value.endsWith('…') }];
  });
  let given: Options = { args: [] };
  try {
    const found = parseArgs({ args, allowPositionals: true, options: Object.fromEntries(options) });
    given = { ...found.values, args: found.positionals };
  } catch (error) {
    // The rest is advice on positional arguments.
    refuseIf(true, `${(error as Error).message.split('. ')[0]}`);
  }
  for (const [, name, value = ''] of known) {
    const [pattern, what] = VALUES[value] ?? [/^/u, ''];
    const values = [given[name as keyof Options] ?? []].flat().map(String);
    refuseIf(!values.every((one) => pattern.test(one)), `--${name} takes ${what}`);
  }
  const { json, yes, fix, watch, 'dry-run': isDry, detach } = given;
  const [first, extra = help.startsWith('\n') ? first : undefined] = given.args;
  // What has a "=" may be the token.
  const shown = extra?.includes('=') ? 'KEY=VALUE: give --set before each' : JSON.stringify(extra);
  refuseIf(extra && !help.startsWith('REQUEST'), `unexpected argument ${shown}`);
  refuseIf(help.startsWith('REQUEST') && !first, 'which REQUEST?');
  refuseIf(detach && !first, '--detach needs the request, too');
  refuseIf(json && watch, '--json and --watch cannot be used together');
  refuseIf(command === 'doctor' && yes && !fix, '--yes needs --fix');
  const asks = fix || help.includes('--dry-run');
  refuseIf(json && asks && !yes && !isDry, '--json asks nobody, so it needs --yes or --dry-run');
  return given;
}
