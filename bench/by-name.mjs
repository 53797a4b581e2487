// From how many names on is the whole list of volumes cheaper than asking for each by its name?
import { parseArgs } from 'node:util';
import { Api } from '../dist/index.js';
import { endProgress, progress } from '../test/lib/progress.mjs';
import { median, timed } from '../test/lib/stats.mjs';
import { makeWorkspace } from '../test/lib/workspace.mjs';
import { volumeName } from './lib/inventory.mjs';
import { Service } from './lib/service.mjs';
import { digits, sample, table } from './lib/table.mjs';

const SIZES = [1000, 20_000, 100_000];
const COUNTS = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const ROUNDS = 25;
/** The whole list of the largest cluster takes most of a second. */
const LIST_ROUNDS = { 1000: 25, 20000: 15, 100000: 7 };
const WARM_UP = 5;

const { values: given } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const workspace = makeWorkspace();
const results = [];
for (const volumes of SIZES) results.push(await measure(volumes));
endProgress();
console.log(given.json ? JSON.stringify(results) : results.map(asText).join('\n\n'));

async function measure(volumes) {
  const service = await Service.start(workspace, { volumes });
  const api = new Api({ port: service.port, auth: '1234567890' });
  const byNames = (count, round) => {
    // Spread over the list, and others each time.
    const names = Array.from({ length: count }, (_, at) => volumeName((at * 37 + round * 11) % volumes));
    return Promise.all(names.map((name) => api.volumeList(name)));
  };
  await repeat(WARM_UP, (round) => byNames(64, round));
  const list = await one(service, LIST_ROUNDS[volumes], 'the whole list', volumes, () => api.volumesList());
  const names = [];
  for (const count of COUNTS) {
    const found = await one(service, ROUNDS, `${count} by name`, volumes, (round) => byNames(count, round));
    names.push({ count, ...found });
  }
  await service.stop();
  return { volumes, list, names };
}

async function one(service, rounds, what, volumes, fn) {
  progress(`by-name: ${what} of ${volumes} volumes`);
  await fn(0);
  await service.traffic();
  const times = await repeat(rounds, (round) => timed(() => fn(round)));
  return { times, bytes: (await service.traffic()).bytes / rounds };
}

async function repeat(rounds, fn) {
  const results = [];
  for (let round = 0; round < rounds; round++) results.push(await fn(round));
  return results;
}

function asText({ volumes, list, names }) {
  const kB = (bytes) => digits(bytes / 1000);
  const rows = names.map(({ count, times, bytes }) => [`${count} by name`, sample(times), kB(bytes)]);
  rows.push(['the whole list', sample(list.times), kB(list.bytes)]);
  const listTime = median(list.times);
  const slower = names.find(({ times }) => median(times) > listTime);
  const last = names.at(-1);
  return [
    `## ${volumes.toLocaleString('en')} volumes`,
    '',
    table(['', 'ms', 'kB'], rows),
    '',
    slower === undefined
      ? `By name is quicker for all of these, and would be up to about ${digits(Math.round((listTime / median(last.times)) * last.count))} names.`
      : `The whole list is quicker from ${slower.count} names on (measured at ${COUNTS.join(', ')}).`,
    `It is fewer bytes from ${digits(Math.ceil((list.bytes / last.bytes) * last.count))} names on.`,
  ].join('\n');
}
