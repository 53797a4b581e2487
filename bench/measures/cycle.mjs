import { cacheOf } from '../lib/inventory.mjs';
import { progress } from '../lib/progress.mjs';
import { Service } from '../lib/service.mjs';
import { interleaved, SIDES, samples, startActors, stopActors } from '../lib/sides.mjs';

const ROUNDS = { 10: 100, 1000: 40, 20000: 10, 100000: 5 };
const QUICK_ROUNDS = { 10: 20, 1000: 10, 20000: 3 };
/** The compiler of Node.js needs some rounds until it has seen enough; where rounds are long it needs few. */
const WARM_UP = { 10: 600, 1000: 60, 20000: 3, 100000: 1 };
const STEPS = ['add', 'attach', 'detach', 'remove'];

/** One full add, attach, detach, remove; devices are there at once. */
export async function cycle({ quick, workspace }) {
  const rows = [];
  for (const [volumes, rounds] of Object.entries(quick ? QUICK_ROUNDS : ROUNDS)) {
    progress(`cycle: ${rounds} rounds with ${volumes} volumes`);
    rows.push(...(await cyclesAt(Number(volumes), rounds, workspace)));
  }
  return {
    title: 'One add, attach, detach, remove',
    note: 'N volumes, N/2 snapshots, N/2 attachments, up to 20 of them of this host and in its cache; long-lived processes.',
    columns: SIDES,
    ratio: SIDES,
    rows,
  };
}

async function cyclesAt(volumes, rounds, workspace) {
  const service = await Service.start(workspace, { volumes });
  const actors = await startActors(SIDES, workspace, { service, cache: cacheOf(service.ours) });
  const [volume] = service.freeVolumes(1);
  const run = (actor) => actor.ask({ do: 'cycle', volume });
  await interleaved(actors, WARM_UP[volumes], run);
  const gathered = await interleaved(actors, rounds, run);
  await stopActors(actors);
  await service.stop();
  const row = (what, pick) => ({ what, unit: 'ms', values: samples(gathered, pick) });
  const n = volumes.toLocaleString('en');
  return [
    row(`N = ${n}, all`, ({ ms }) => ms),
    ...STEPS.map((step) => row(`N = ${n}, ${step}`, ({ steps }) => steps[step])),
  ];
}
