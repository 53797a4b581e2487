import { progress } from '../../test/lib/progress.mjs';
import { SIDES } from '../lib/sides.mjs';
import { trafficOf } from '../lib/traffic.mjs';

/** What an attach and a detach ask of the management service. */
export async function traffic({ quick, workspace }) {
  const sizes = quick ? [10, 1000, 20_000] : [10, 1000, 20_000, 100_000];
  const rows = [];
  for (const volumes of sizes) rows.push(...(await rowsOf({ volumes }, '', workspace)));
  // The attachments may grow, the volumes alone must not be noticed.
  for (const volumes of sizes.slice(1)) {
    const size = { volumes, attachments: 500 };
    rows.push((await rowsOf(size, '500 attachments, ', workspace))[0]);
  }
  return { title: 'What the API is asked', columns: SIDES, ratio: SIDES, rows };
}

async function rowsOf(size, more, workspace) {
  const volumes = size.volumes.toLocaleString('en');
  progress(`traffic: with ${volumes} volumes`);
  const found = await trafficOf(size, workspace);
  const row = (what, unit, pick) => ({
    what: `N = ${volumes}, ${more}${what}`,
    unit,
    values: Object.fromEntries(SIDES.map((side) => [side, [pick(found[side])]])),
  });
  return [
    row('read by an attach', 'kB', ({ attach }) => attach.bytes / 1000),
    row('read by a detach', 'kB', ({ detach }) => detach.bytes / 1000),
    row('an attach', 'requests', ({ attach }) => attach.requests),
    row('a detach', 'requests', ({ detach }) => detach.requests),
  ];
}
