// Is there a cheaper correct way to our client's attachments than JSON.parse, and would it matter?
import { get } from 'node:http';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Api } from '../dist/index.js';
import { attachmentEntries, cacheOf, OUR_CLIENT } from './lib/inventory.mjs';
import { endProgress, progress } from './lib/progress.mjs';
import { Service } from './lib/service.mjs';
import { startActors, stopActors } from './lib/sides.mjs';
import { median, timed } from './lib/stats.mjs';
import { digits, sample, table } from './lib/table.mjs';
import { WAYS } from './lib/ways-to-parse.mjs';
import { makeWorkspace } from './lib/workspace.mjs';

const SIZES = [10_000, 100_000];
const ROUNDS = 15;
const WARM_UP = 5;

/** All of it JSON that a service may send; our client has the first and the third. */
const TRICKY = Buffer.from(`{"data":[
  {"client": ${OUR_CLIENT}, "volume": "os--volume-1", "rights": "rw"},
  {"client": 2, "volume": "os--volume-2", "tags": {"note": "}{", "client": ${OUR_CLIENT}}},
  {"tags": {"client": 2}, "volume": "os--volume-\\u0033 é", "client":${OUR_CLIENT}}
]}`);

// So that nobody is billed for the garbage of the one before.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const { values: given } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const workspace = makeWorkspace();
const tricky = Object.fromEntries(
  Object.entries(WAYS).map(([name, { read }]) => [name, isRight(read, TRICKY)]),
);
const parsing = [];
const attaching = [];
for (const count of SIZES) parsing.push({ count, ...parse(count) });
for (const count of SIZES) attaching.push({ count, ...(await attach(count)) });
endProgress();
console.log(given.json ? JSON.stringify({ tricky, parsing, attaching }) : asText());

function parse(count) {
  const bytes = Buffer.from(`{"data":[${[...attachmentEntries(count)].join(',')}],"generation":1}`);
  const times = Object.fromEntries(Object.keys(WAYS).map((name) => [name, []]));
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    progress(`parse: ${count} attachments, round ${Math.max(round, 0)} of ${ROUNDS}`);
    for (const [name, { read }] of Object.entries(WAYS)) {
      collectGarbage();
      const start = performance.now();
      read(bytes, OUR_CLIENT);
      if (round >= 0) times[name].push(performance.now() - start);
    }
  }
  const wrong = Object.keys(WAYS).filter((name) => !isRight(WAYS[name].read, bytes));
  if (wrong.length > 0) throw new Error(`Wrong on plain input: ${wrong}`);
  return { size: bytes.length, times };
}

function isRight(read, bytes) {
  try {
    const right = JSON.parse(bytes.toString()).data.filter(({ client }) => client === OUR_CLIENT);
    return isDeepStrictEqual(read(bytes, OUR_CLIENT), right);
  } catch {
    return false;
  }
}

/** Where the time of an attach goes. */
async function attach(count) {
  const service = await Service.start(workspace, { volumes: 2 * count });
  const actors = await startActors(['ours'], workspace, { service, cache: cacheOf(service.ours) });
  const [volume] = service.freeVolumes(1);
  const api = new Api({ port: service.port, auth: '1234567890' });
  const parts = {
    'add and attach': [],
    'attachmentsList({ client })': [],
    'attachmentsList()': [],
    'the same request, not parsed': [],
  };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    progress(`parse: attaching beside ${count} attachments, round ${Math.max(round, 0)} of ${ROUNDS}`);
    const { ms } = await actors.get('ours').ask({ do: 'attach', volume });
    await actors.get('ours').ask({ do: 'detach', volume });
    const ours = await timed(() => api.attachmentsList({ client: OUR_CLIENT }));
    const list = await timed(() => api.attachmentsList());
    const raw = await timed(() => fetchBytes(service.port));
    if (round < 0) continue;
    for (const [part, time] of [ms, ours, list, raw].entries()) Object.values(parts)[part].push(time);
  }
  await stopActors(actors);
  await service.stop();
  return { parts };
}

function fetchBytes(port) {
  return new Promise((resolve, reject) => {
    const request = get(
      { host: '127.0.0.1', port, path: '/ctrl/1.0/AttachmentsList', agent: false },
      (reply) => {
        const chunks = [];
        reply.on('data', (chunk) => chunks.push(chunk));
        reply.on('end', () => resolve(Buffer.concat(chunks)));
      },
    );
    request.on('error', reject);
  });
}

function asText() {
  const count = (number) => number.toLocaleString('en');
  const ways = Object.entries(WAYS).map(([name, { trusts = '' }]) => [
    name,
    ...parsing.map(({ times }) => sample(times[name])),
    tricky[name] ? 'yes' : 'no',
    trusts,
  ]);
  const parts = Object.keys(attaching[0].parts).map((part) => [
    part,
    ...attaching.map(({ parts }) => sample(parts[part])),
  ]);
  const share = ['parsing, of add and attach', ...attaching.map(shareOfParsing)];
  return [
    '## From the reply to the attachments of our client, ms',
    '',
    table(
      ['', ...parsing.map((one) => `${count(one.count)} (${digits(one.size / 1e6)} MB)`), 'right', 'trusts'],
      ways,
    ),
    '',
    'Right: on a reply with blanks, nested objects, braces in texts and other letters, too.',
    '',
    '## An attach beside so many attachments, ms',
    '',
    table(['', ...attaching.map((one) => count(one.count))], [...parts, share]),
  ].join('\n');
}

function shareOfParsing({ parts }) {
  const [whole, ours, , raw] = Object.values(parts).map(median);
  return `${Math.max(0, Math.round(((ours - raw) / whole) * 100))} %`;
}
