// A fake StorPool service to try a program against by hand: npm run fake -- --help
import { parseArgs, styleText } from 'node:util';
import { FakeStorPool } from 'storpool-spopenstack/testing';

const HELP = `A fake StorPool management service on this host, until Ctrl-C ends it.

  npm run fake -- [options]

  --port N            the port; default: a free one
  --volumes A,B       the volumes in the beginning; default: os--volume-1,os--volume-2
  --snapshots A,B     the snapshots in the beginning; default: os--volsnap-1--req-1
  --templates A,B     the templates; default: hybrid
  --client-id N       the client ID of the host under test; default: 1
  --token STRING      the only token that is let in; default: 1234567890
  --device-dir DIR    where to make the device links of attached volumes; default: nowhere
  --device-delay MS   milliseconds from attaching to the link; default: 0
  --help              this help
`;

const string = (value) => ({ type: 'string', default: value });
let options;
try {
  options = parseArgs({
    options: {
      port: string('0'),
      volumes: string('os--volume-1,os--volume-2'),
      snapshots: string('os--volsnap-1--req-1'),
      templates: string('hybrid'),
      'client-id': string('1'),
      token: string('1234567890'),
      'device-dir': { type: 'string' },
      'device-delay': string('0'),
      help: { type: 'boolean' },
    },
  }).values;
  for (const name of ['port', 'client-id', 'device-delay']) {
    if (!/^\d+$/u.test(options[name]))
      throw new TypeError(`--${name} takes a number, not "${options[name]}"`);
  }
} catch (error) {
  console.error(`${error.message}\n\n${HELP}`);
  process.exit(2);
}
if (options.help) {
  console.log(HELP);
  process.exit(0);
}

const dim = (line) => (process.stdout.isTTY && !process.env.NO_COLOR ? styleText('dim', line) : line);
const list = (names) => names.split(',').filter(Boolean);
const quote = (word) => `'${word.replaceAll("'", "'\\''")}'`;

const fake = await FakeStorPool.start({
  port: Number(options.port),
  volumes: list(options.volumes),
  snapshots: list(options.snapshots),
  templates: list(options.templates),
  clientId: Number(options['client-id']),
  token: options.token,
  deviceDir: options['device-dir'],
  deviceDelay: Number(options['device-delay']),
  onReply({ method, path, body, status, duration }) {
    const argument = body === undefined ? '' : JSON.stringify(body);
    const line = `${method} ${path} ${status} ${duration.toFixed(1)} ms ${argument}`;
    console.log(`${dim(new Date().toISOString())} ${line}`.trimEnd());
  },
}).catch((error) => {
  console.error(`The service cannot start: ${error.message}`);
  process.exit(1);
});

const { SP_OURID, ...environment } = fake.config;
const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
console.log(`A fake StorPool service listens on 127.0.0.1:${fake.port}. Ask it something:

curl -H ${quote(`Authorization: Storpool v1:${options.token}`)} http://127.0.0.1:${fake.port}/ctrl/1.0/VolumesList

Lead a program to it (the client ID goes into its storpool.conf: SP_OURID=${SP_OURID}):

${exports.join('\n')}

Ctrl-C ends it. The requests:
`);

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await fake.close();
  });
}
