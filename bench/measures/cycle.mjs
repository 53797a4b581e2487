import { cacheOf, oursOf } from '../inventory.mjs';
import { startActors, startService, stopAll, takeTurns } from '../sides.mjs';

const SIDES = ['reference', 'ours', 'floor'];
/** How many processes of each side, and how many cycles each of them does: fewer than a hundred. */
const CASES = [
  { volumes: 10, processes: 5, cycles: 30 },
  { volumes: 1000, processes: 3, cycles: 30 },
  { volumes: 20_000, processes: 2, cycles: 5 },
];

/** One attach and one detach in processes that have started just now; devices are there at once. */
export async function cycle({ quick, workspace }) {
  const rows = [];
  for (const { volumes, processes, cycles } of CASES) {
    const count = quick ? 1 : processes;
    const service = await startService(workspace, volumes);
    const actors = await startActors(SIDES, { workspace, cache: cacheOf(oursOf(volumes)), service, count });
    const [volume] = service.free(1);
    const n = `N = ${volumes.toLocaleString('en')}`;
    const values = await takeTurns(`cycle, ${n}`, actors, count * cycles, async (side, round) => ({
      attach: await side[round % count].ask('attach', { volume }),
      detach: await side[round % count].ask('detach', { volume }),
    }));
    await stopAll([...Object.values(actors).flat(), service]);
    rows.push({ what: `${n}, both, ms`, values: values(({ attach, detach }) => attach + detach) });
    rows.push({ what: `${n}, attach, ms`, values: values(({ attach }) => attach) });
    rows.push({ what: `${n}, detach, ms`, values: values(({ detach }) => detach) });
  }
  return {
    title: 'One attach and one detach',
    note: 'N volumes, N/2 snapshots, N/2 attachments, up to 20 of them of this host and in its cache. The first cycles of each process, fewer than a hundred. The floor is the bare parts: both locks, two flushes a write, five requests.',
    ratios: [
      ['ours', 'reference'],
      ['ours', 'floor'],
    ],
    rows,
  };
}
