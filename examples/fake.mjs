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
  --token TEXT        the only token that is let in; default: 1234567890
  --device-dir DIR    where to make the device links of attached volumes; default: nowhere
  --device-delay MS   milliseconds from attaching to the link; default: 0
  --help              this text
`;

const text = (value) => ({ type: 'string', default: value });
let options;
try {
  options = parseArgs({
    options: {
      port: text('0'),
      volumes: text('os--volume-1,os--volume-2'),
      snapshots: text('os--volsnap-1--req-1'),
      templates: text('hybrid'),
      'client-id': text('1'),
      token: text('1234567890'),
      'device-dir': { type: 'string' },
      'device-delay': text('0'),
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
const fake = await FakeStorPool.start({
  port: Number(options.port),
  volumes: list(options.volumes),
  snapshots: list(options.snapshots),
  templates: list(options.templates),
  clientId: Number(options['client-id']),
  token: options.token,
  deviceDir: options['device-dir'],
  deviceDelay: Number(options['device-delay']),
  onRequest({ method, path, body }) {
    const argument = body === undefined ? '' : JSON.stringify(body);
    console.log(`${dim(new Date().toISOString())} ${method} ${path} ${argument}`.trimEnd());
  },
}).catch((error) => {
  console.error(`The service cannot start: ${error.message}`);
  process.exit(1);
});

console.log(`A fake StorPool service listens on 127.0.0.1:${fake.port}. Settings that lead to it:\n`);
for (const [name, value] of Object.entries(fake.config)) console.log(`  ${name}=${value}`);
console.log('\nCtrl-C ends it.\n');

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await fake.close();
  });
}
