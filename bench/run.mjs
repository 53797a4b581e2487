import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { endProgress } from '../test/lib/progress.mjs';
import { makeWorkspace } from '../test/lib/workspace.mjs';
import { asData, asText } from './lib/report.mjs';
import { add } from './measures/add.mjs';
import { concurrent } from './measures/concurrent.mjs';
import { cycle } from './measures/cycle.mjs';
import { device } from './measures/device.mjs';
import { down } from './measures/down.mjs';
import { handoff } from './measures/handoff.mjs';
import { imports } from './measures/import.mjs';
import { openVolumes } from './measures/open.mjs';
import { traffic } from './measures/traffic.mjs';

const MEASURES = {
  cycle,
  traffic,
  concurrent,
  open: openVolumes,
  down,
  device,
  handoff,
  add,
  import: imports,
};

const HELP = `npm run bench [-- options]

Measures the library against a model of the Python package (bench/reference_model.py), both in the same run and
taking turns, on a server of the API on loopback. A figure is the median and, in brackets, the quartiles; or the
extremes where there are fewer than eight.

  --only NAME   one of ${Object.keys(MEASURES).join(', ')}; may be given several times
  --quick       fewer rounds and smaller clusters
  --json        the figures as JSON
  --help        this text`;

function parse() {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: Object.keys(MEASURES) },
        quick: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    const unknown = values.only.filter((name) => !Object.hasOwn(MEASURES, name));
    if (unknown.length > 0) throw new Error(`There is no measurement ${unknown.join(', ')}`);
    return values;
  } catch (error) {
    console.error(`${error.message}\nTry --help`);
    process.exit(2);
  }
}

const { only, quick, json, help } = parse();
if (help) {
  console.log(HELP);
  process.exit();
}
const workspace = makeWorkspace();
const machine = { cpus: cpus().length, model: cpus()[0].model, node: process.version };
const results = {};
if (!json) console.log(`Node.js ${machine.node}, ${machine.cpus} cores (${machine.model})\n`);
for (const name of only) {
  const result = await MEASURES[name]({ quick, workspace });
  results[name] = asData(result);
  endProgress();
  if (!json) console.log(asText(result));
}
if (json) console.log(JSON.stringify({ machine, quick, results }));
