import { parseArgs } from 'node:util';

/** The command line makes no sense. */
export class UsageError extends Error {}

const HOST = `
  --config FILE      the configuration; default: /etc/storpool.conf, and /etc/storpool.conf.d
  --section NAME     the section of the configuration for this host; default: what "uname -n" says
  --set KEY=VALUE    a setting that wins over the configuration; may be repeated
  --file FILE        the attachment cache; default: /var/spool/openstack-storpool/openstack-attach.json
  --device-dir DIR   where the devices are; default: /dev/storpool
  --json             one JSON object, for programs
  --help             this help
`;

const exit = (outcomes: string) => `
Exit status: ${outcomes}, 2 wrong usage, 3 it failed, 130 Ctrl-C.`;
const FINDINGS = exit('0 all is well, 1 there are findings');

export const PROGRAM_HELP = `See and mend the attachment cache of a StorPool host.

  storpool-attachdb status   what the cache wants, what the cluster has attached, and where they differ
  storpool-attachdb doctor   what is wrong with this host, and how to mend it
  storpool-attachdb plan     what sync() would do
  storpool-attachdb fake     a StorPool management service to try a program against

"storpool-attachdb COMMAND --help" shows the options of a command, "storpool-attachdb --version" the version.
NO_COLOR=1 switches colours off.`;

/** An option belongs to the commands whose help lists it. */
export const HELP = {
  status: `A row for each volume that the cache wants or the cluster has attached to this host. Changes nothing.

  storpool-attachdb status [options]

  --watch            draw it again every two seconds, until Ctrl-C ends it${HOST}
Examples:
  storpool-attachdb status
  storpool-attachdb status --json | jq '.volumes[] | select(.finding)'
  storpool-attachdb status --set SP_API_HTTP_HOST=10.0.0.1
${FINDINGS}`,
  doctor: `Checks this host, and says how to mend what is wrong. Run it as the user of the service that has trouble.

  storpool-attachdb doctor [options]

  --fix              show what can be mended safely, ask, and do it; nothing is ever detached
  --yes              with --fix: do not ask${HOST}
Examples:
  storpool-attachdb doctor
  sudo -u nova storpool-attachdb doctor
  storpool-attachdb doctor --fix
${FINDINGS}`,
  plan: `What sync() would do now, in words. Changes nothing.

  storpool-attachdb plan [REQUEST] [options]

  REQUEST            on behalf of this request; default: for all requests in the cache
  --detach VOLUME    with REQUEST: the volume that it no longer needs${HOST}
Examples:
  storpool-attachdb plan
  storpool-attachdb plan 7f6c --detach os--volume-7f6c
${exit('0 the plan is shown')}`,
  fake: `A fake StorPool management service on this host, until Ctrl-C ends it.

  storpool-attachdb fake [options]

  --port N           the port; default: a free one
  --volumes A,B      the initial volumes; default: os--volume-1,os--volume-2
  --snapshots A,B    the initial snapshots; default: os--volsnap-1--req-1
  --templates A,B    the templates; default: hybrid
  --client-id N      the client ID of the host under test; default: 1
  --token STRING     the only token that is let in; default: 1234567890
  --device-dir DIR   where to make the device links of attached volumes; default: nowhere
  --device-delay MS  milliseconds from attaching to the link; default: 0
  --help             this help

Example:
  storpool-attachdb fake --port 8081 --device-dir /tmp/devices`,
};

export type CommandName = keyof typeof HELP;

export const isCommand = (name: string): name is CommandName => Object.hasOwn(HELP, name);

const string = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const set = { type: 'string', multiple: true } as const;
const HOST_OPTIONS = { config: string, section: string, set, file: string, 'device-dir': string, json: flag };
const FAKE_OPTIONS = { port: string, volumes: string, snapshots: string, templates: string, token: string };

const parse = (args: string[]) =>
  parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...HOST_OPTIONS,
      ...FAKE_OPTIONS,
      'client-id': string,
      'device-delay': string,
      watch: flag,
      fix: flag,
      yes: flag,
      detach: string,
    },
  });

/** What was given. */
export type Options = ReturnType<typeof parse>['values'] & { request?: string | undefined };

/** @throws UsageError naming the argument */
export function parseOptions(command: CommandName, args: string[]): Options {
  try {
    const { values, positionals } = parse(args);
    const foreign = Object.keys(values).find((name) => !HELP[command].includes(`\n  --${name} `));
    if (foreign !== undefined) throw new UsageError(`${command} has no option --${foreign}`);
    const extra = positionals[command === 'plan' ? 1 : 0];
    if (extra !== undefined) throw new UsageError(`${command}: unexpected argument ${JSON.stringify(extra)}`);
    // The rest is not shown, because it may be the token.
    if (values.set?.some((setting) => setting.indexOf('=') < 1))
      throw new UsageError('--set takes KEY=VALUE');
    return { ...values, request: positionals[0] };
  } catch (error) {
    // The rest is advice on positional arguments.
    throw error instanceof TypeError ? new UsageError(error.message.split('. ')[0]) : error;
  }
}
