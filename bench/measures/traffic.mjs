import { progress } from '../lib/progress.mjs';
import { SIDES } from '../lib/sides.mjs';
import { trafficOf } from '../lib/traffic.mjs';

/** What an attach and a detach ask of the management service. */
export async function traffic({ quick, workspace }) {
  const rows = [];
  for (const volumes of quick ? [10, 1000, 20_000] : [10, 1000, 20_000, 100_000]) {
    progress(`traffic: with ${volumes} volumes`);
    const found = await trafficOf(volumes, workspace);
    const row = (what, unit, pick) => ({
      what: `N = ${volumes.toLocaleString('en')}, ${what}`,
      unit,
      values: Object.fromEntries(SIDES.map((side) => [side, [pick(found[side])]])),
    });
    rows.push(
      row('read by an attach', 'kB', ({ attach }) => attach.bytes / 1000),
      row('read by a detach', 'kB', ({ detach }) => detach.bytes / 1000),
      row('an attach', 'requests', ({ attach }) => attach.requests),
      row('a detach', 'requests', ({ detach }) => detach.requests),
    );
  }
  return { title: 'What the API is asked', columns: SIDES, ratio: SIDES, rows };
}
