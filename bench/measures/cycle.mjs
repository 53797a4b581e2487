import { existsSync } from 'node:fs';
import { progress } from '../../test/lib/progress.mjs';
import { MEMORY, makeWorkspace } from '../../test/lib/workspace.mjs';
import { cacheOf } from '../lib/inventory.mjs';
import { Service } from '../lib/service.mjs';
import { interleaved, SIDES, samples, startActors, stopActors } from '../lib/sides.mjs';

/** Processes that have done less than a hundred cycles, as after the start of a service. */
const COLD = { processes: { 10: 3, 1000: 3, 20000: 2 }, rounds: { 10: 30, 1000: 15, 20000: 5 } };
const ROUNDS = { 10: 100, 1000: 40, 20000: 10, 100000: 5 };
const QUICK_ROUNDS = { 10: 20, 1000: 10, 20000: 3 };
/** Rounds until Node.js has compiled what runs; the reference is as quick from the start. */
const WARM_UP = {
  ours: { 10: 600, 1000: 600, 20000: 100, 100000: 20 },
  reference: { 10: 20, 1000: 3, 20000: 1, 100000: 1 },
};
const STEPS = ['attach', 'detach'];

/** One attach() and one detach(), against add, sync, sync, remove of the reference; devices are there at once. */
export async function cycle({ quick, workspace }) {
  const rows = [];
  for (const [volumes, rounds] of Object.entries(COLD.rounds)) {
    progress(`cycle: the first ${rounds} rounds of new processes with ${volumes} volumes`);
    rows.push(...(await coldAt(Number(volumes), rounds, quick ? 1 : COLD.processes[volumes], workspace)));
  }
  for (const [volumes, rounds] of Object.entries(quick ? QUICK_ROUNDS : ROUNDS)) {
    progress(`cycle: ${rounds} rounds with ${volumes} volumes`);
    rows.push(...(await warmAt(Number(volumes), rounds, workspace)));
  }
  if (existsSync(MEMORY)) {
    progress('cycle: 10 volumes, the cache in memory');
    const [all] = await warmAt(10, (quick ? QUICK_ROUNDS : ROUNDS)[10], workspace, makeWorkspace(MEMORY));
    rows.push({ ...all, what: `${all.what}, in memory` });
  }
  return {
    title: 'One attach and one detach',
    note: 'N volumes, N/2 snapshots, N/2 attachments, up to 20 of them of this host and in its cache. Cold: the first cycles of a process, less than a hundred. Warm: a process that has done hundreds. In memory: with the cache where flushing, which the reference does not do, costs nothing.',
    columns: SIDES,
    ratio: SIDES.toReversed(),
    rows,
  };
}

async function coldAt(volumes, rounds, processes, workspace) {
  const gathered = new Map(SIDES.map((side) => [side, []]));
  for (let nr = 0; nr < processes; nr++) {
    const found = await cyclesAt(volumes, rounds, workspace, async () => undefined);
    for (const [side, results] of found) gathered.get(side).push(...results);
  }
  return rowsOf(gathered, volumes, 'cold');
}

async function warmAt(volumes, rounds, workspace, caches = workspace) {
  const warmUp = async (actor, side, run) => {
    for (let round = 0; round < WARM_UP[side][volumes]; round++) await run(actor);
  };
  return rowsOf(await cyclesAt(volumes, rounds, workspace, warmUp, caches), volumes, 'warm');
}

async function cyclesAt(volumes, rounds, workspace, warmUp, caches = workspace) {
  const service = await Service.start(workspace, { volumes });
  const actors = await startActors(SIDES, caches, { service, cache: cacheOf(service.ours) });
  const [volume] = service.freeVolumes(1);
  const run = (actor) => actor.ask('cycle', { volume });
  for (const [side, actor] of actors) await warmUp(actor, side, run);
  const gathered = await interleaved(actors, rounds, run);
  await stopActors(actors);
  await service.stop();
  return gathered;
}

function rowsOf(gathered, volumes, state) {
  const row = (what, pick) => ({ what, unit: 'ms', values: samples(gathered, pick) });
  const n = volumes.toLocaleString('en');
  return [
    row(`N = ${n}, ${state}`, ({ ms }) => ms),
    ...STEPS.map((step) => row(`N = ${n}, ${state}, ${step}`, ({ steps }) => steps[step])),
  ];
}
