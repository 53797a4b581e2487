import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { endProgress } from '../test/lib/progress.mjs';
import { makeWorkspace } from '../test/lib/workspace.mjs';
import { add } from './measures/add.mjs';
import { concurrent } from './measures/concurrent.mjs';
import { cycle } from './measures/cycle.mjs';
import { hang } from './measures/hang.mjs';
import { imports } from './measures/import.mjs';
import { openVolumes } from './measures/open.mjs';
import { asText } from './tables.mjs';

const MEASURES = { cycle, concurrent, open: openVolumes, hang, add, import: imports };

const HELP = `npm run bench [-- options]

Measures the library against a model of the Python package and against the bare parts of the same work, taking turns,
on a server of the API on loopback. A figure is the median and the quartiles, or the extremes of fewer than eight.

  --only NAME   one of ${Object.keys(MEASURES).join(', ')}; may be given several times
  --quick       fewer rounds
  --help        this text`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', multiple: true, default: Object.keys(MEASURES) },
    quick: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit();
}
const workspace = makeWorkspace();
console.log(`Node.js ${process.version}, ${cpus().length} cores (${cpus()[0].model})\n`);
for (const name of values.only) {
  const result = await MEASURES[name]({ quick: values.quick, workspace });
  endProgress();
  console.log(asText(result));
}
