import { parseArgs } from 'node:util';
import { endProgress, progress } from '../test/lib/progress.mjs';
import { makeWorkspace } from '../test/lib/workspace.mjs';
import { SIDES } from './lib/sides.mjs';
import { digits, table } from './lib/table.mjs';
import { trafficOf } from './lib/traffic.mjs';

const SIZES = [1000, 20_000, 100_000];
const HYPERVISORS = 1000;

const HELP = `npm run fleet [-- options]

What the hypervisors of a cloud ask of the management service, worked out from the requests and bytes of one
attach and one detach, which are measured now. Prints a Markdown table.

  --attaches COUNT   attaches a minute of all ${HYPERVISORS} hypervisors together, and as many detaches; default 100
  --help             this text`;

const { values } = parseArgs({
  options: { attaches: { type: 'string', default: '100' }, help: { type: 'boolean', default: false } },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}

const perSecond = Number(values.attaches) / 60;
const workspace = makeWorkspace();
const rows = [];
for (const volumes of SIZES) {
  progress(`fleet: measuring with ${volumes} volumes`);
  const found = await trafficOf({ volumes }, workspace);
  const row = (what, calls) => {
    const sum = (side, member) =>
      calls.reduce((whole, call) => whole + found[side][call][member], 0) * perSecond;
    const [reference, ours] = SIDES.map((side) => sum(side, 'bytes') / 1e6);
    const requests = SIDES.map((side) => digits(sum(side, 'requests')));
    const ratio = `${digits(reference / ours)} x`;
    return [volumes.toLocaleString('en'), what, ...requests, digits(reference), digits(ours), ratio];
  };
  rows.push(row('attaches', ['attach']), row('attaches and detaches', ['attach', 'detach']));
}
endProgress();
console.log(
  `${HYPERVISORS.toLocaleString('en')} hypervisors, ${values.attaches} attaches a minute in all:\n`,
);
console.log(
  table(
    ['Volumes', 'Counting', 'Requests/s, reference', 'ours', 'MB/s, reference', 'ours', 'fewer bytes'],
    rows,
  ),
);
