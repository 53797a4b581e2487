import { type ParseArgsConfig, parseArgs } from 'node:util';
import { wrap } from './terminal.js';

/** The command line makes no sense. */
export class UsageError extends Error {}

/** Options by what the help shows of them; `FILE` is a value, `KEY=VALUE…` may be repeated, and the rest are flags. */
const HELP = { help: 'this help' } as const;
const HOST = {
  'config FILE': 'the configuration, with the *.conf files in FILE.d; default: /etc/storpool.conf',
  'section NAME': 'the section for this host; default: what "uname -n" says',
  'set KEY=VALUE…': 'a setting that wins over the configuration; may be repeated',
  'file FILE': 'the attachment cache; default: /var/spool/openstack-storpool/openstack-attach.json',
  'device-dir DIR': 'where the devices are; default: /dev/storpool',
  'timeout SECONDS':
    'how long to wait for an answer of the API and for the lock; default: 8 for the API, and for the lock 15, or 1 where nothing is to be changed',
  json: 'one JSON object, for programs',
  ...HELP,
} as const;
const ASKS = { yes: 'do not ask', 'dry-run': 'show what would be done, and do nothing' } as const;
const WIDE = { wide: 'a line for each row, however narrow the terminal is' } as const;

const OPTIONS = {
  status: {
    watch: 'draw it again every two seconds, until Ctrl-C ends it',
    requests: 'a row for each request, with its age, instead of one for each volume',
    ...WIDE,
    ...HOST,
  },
  doctor: {
    fix: 'show what can be mended safely, ask, and do it; nothing is ever detached',
    yes: 'with --fix: do not ask',
    ...HOST,
  },
  repair: { ...ASKS, ...WIDE, ...HOST },
  detach: {
    'force WHEN':
      'what to do with a volume that stays open: "never", which is the default, leaves it attached; "unshared" detaches it by force',
    ...ASKS,
    ...HOST,
  },
  forget: { ...ASKS, ...HOST },
  plan: { 'detach VOLUME': 'with REQUEST: the volume that it no longer needs', ...HOST },
  fake: {
    'port N': 'the port; default: a free one',
    'volumes A,B': 'the initial volumes; default: os--volume-1,os--volume-2',
    'snapshots A,B': 'the initial snapshots; default: os--volsnap-1--req-1',
    'templates A,B': 'the templates; default: hybrid',
    'client-id N': 'the client ID of the host under test; default: 1',
    'token STRING': 'the only token that is let in; default: 1234567890',
    'dir DIR':
      'where to put storpool.conf, cache.json and the device links, in dev; default: a temporary directory, removed at the end',
    'device-delay MS': 'milliseconds from attaching to the link; default: 0',
    ...HELP,
  },
} as const;

export type CommandName = keyof typeof OPTIONS;

interface Usage {
  /** The first sentence is for the list of commands. */
  about: string;
  examples: string[];
  /** What the exit statuses 0 and 1 mean. */
  outcomes: string;
  /** What it takes besides options: nothing, or as the name says. */
  takes?: '[REQUEST]' | 'REQUEST…';
}

const FINDINGS = '0 all is well, 1 there are findings';
const DONE = '0 done, 1 nothing or not all was done';

const USAGE: Record<CommandName, Usage> = {
  status: {
    about:
      'What the cache wants, what the cluster has attached, and where they differ. Shows a row for each volume. Changes nothing.',
    examples: ['status --requests', "status --json | jq '.volumes[] | select(.finding)'"],
    outcomes: FINDINGS,
  },
  doctor: {
    about:
      'What is wrong with this host, and how to mend it. Run it as the user of the service that has trouble.',
    examples: ['doctor', 'doctor --fix'],
    outcomes: FINDINGS,
  },
  repair: {
    about:
      'Write a torn cache anew from what can be found of it. For a cache that is not JSON: shows the requests that are whole in it or in FILE.backup, compares them with what is attached to this host, asks, and writes them. What was torn is kept as FILE.torn.',
    examples: ['repair --dry-run', 'repair'],
    outcomes: '0 repaired, or shown with --dry-run, 1 not repaired',
  },
  detach: {
    about:
      'Detach the volumes of requests whose owner is gone. Drops the requests, too. A volume that other requests need stays attached. Shows first who needs it, and who has its device open, as far as this user can tell.',
    takes: 'REQUEST…',
    examples: ['detach 7f6c 8a07 --dry-run'],
    outcomes: DONE,
  },
  forget: {
    about:
      'Drop requests, and leave their volumes as they are. A volume that is attached stays attached: if no other request needs it, this library never detaches it.',
    takes: 'REQUEST…',
    examples: ['forget 7f6c'],
    outcomes: DONE,
  },
  plan: {
    about: 'What the next sync() of a service would do. Without REQUEST, for all requests. Changes nothing.',
    takes: '[REQUEST]',
    examples: ['plan', 'plan 7f6c --detach os--volume-7f6c'],
    outcomes: '0 the plan is shown',
  },
  fake: {
    about:
      'A fake StorPool host to try a program against: a management service, a configuration, a cache and device links. Ends with Ctrl-C.',
    examples: ['fake --port 8081 --dir try'],
    outcomes: '0 after Ctrl-C',
  },
};

export const isCommand = (name: string): name is CommandName => Object.hasOwn(USAGE, name);

const WIDTH = 80;
/** Where the second column of the help begins. */
const INDENT = 21;

/** The help of a command, or of the program. @param columns - of the terminal; more than 80 are left free */
export function helpOf(command: CommandName | undefined, columns: number): string {
  const width = Math.min(columns, WIDTH);
  const paragraph = (words: string) => `${wrap(words, width)}\n`;
  const line = (name: string, help: string) => `  ${name.padEnd(INDENT - 2)}${wrap(help, width, INDENT)}\n`;
  if (command === undefined) {
    const commands = Object.entries(USAGE).map(([name, { about }]) => line(name, `${about.split('. ')[0]}.`));
    const more =
      '"storpool-attachdb COMMAND --help" shows the options of a command, "storpool-attachdb --version" the version. NO_COLOR=1 switches colours off.';
    return `See and mend the attachment cache of a StorPool host.\n\n${commands.join('')}\n${paragraph(more)}`;
  }
  const { about, takes, examples, outcomes } = USAGE[command];
  const options = Object.entries(OPTIONS[command]).map(([name, help]) =>
    line(`--${name.replace('…', '')}`, help),
  );
  return [
    paragraph(about),
    `  storpool-attachdb ${command}${takes ? ` ${takes}` : ''} [options]\n\n${options.join('')}`,
    `Examples:\n${examples.map((one) => `  storpool-attachdb ${one}\n`).join('')}`,
    paragraph(`Exit status: ${outcomes}, 2 wrong usage, 3 it failed, 130 Ctrl-C.`),
  ].join('\n');
}

type KeysOf<T> = T extends T ? keyof T : never;
type Key = KeysOf<(typeof OPTIONS)[CommandName]>;
type ValueOf<K> = K extends `${string}…` ? string[] : K extends `${string} ${string}` ? string : boolean;

/** What was given; no command has options of another. */
export type Options = { [K in Key as K extends `${infer Name} ${string}` ? Name : K]?: ValueOf<K> } & {
  args: string[];
};

/** @throws UsageError naming the argument */
export function parseOptions(command: CommandName, args: string[]): Options {
  const options = Object.keys(OPTIONS[command]).map((key) => {
    const [name, value = ''] = key.split(' ');
    return [name, { type: value === '' ? 'boolean' : 'string', multiple: value.endsWith('…') }];
  });
  const { values, positionals } = parseStrictly(command, args, Object.fromEntries(options));
  const given: Options = { ...values, args: positionals };
  const { takes } = USAGE[command];
  const extra = takes === 'REQUEST…' ? undefined : positionals[takes === undefined ? 0 : 1];
  if (extra !== undefined) throw new UsageError(`${command}: unexpected argument ${JSON.stringify(extra)}`);
  if (takes === 'REQUEST…' && positionals.length === 0) throw new UsageError(`${command} needs ${takes}`);
  // The rest is not shown, because it may be the token.
  if (given.set?.some((setting) => setting.indexOf('=') < 1)) throw new UsageError('--set takes KEY=VALUE');
  const { timeout = '1' } = given;
  if (!(Number(timeout) > 0 && Number(timeout) < 86_400))
    throw new UsageError(`--timeout takes seconds, not ${JSON.stringify(timeout)}`);
  return given;
}

function parseStrictly(command: string, args: string[], options: ParseArgsConfig['options']) {
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    // The rest is advice on positional arguments.
    throw new UsageError(`${command}: ${error.message.split('. ')[0]}`);
  }
}

/** With `--json` nobody is asked. @throws UsageError */
export function checkUnattended({ json, yes, 'dry-run': dryRun }: Options): void {
  if (json && !yes && !dryRun)
    throw new UsageError('--json needs --yes or --dry-run, because nobody is asked');
}
