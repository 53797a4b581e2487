import { existsSync } from 'node:fs';
import { progress } from '../../test/lib/progress.mjs';
import { MEMORY, makeWorkspace } from '../../test/lib/workspace.mjs';
import { cacheOf } from '../lib/inventory.mjs';
import { Service } from '../lib/service.mjs';
import { interleaved, SIDES, samples, startActors, stopActors } from '../lib/sides.mjs';

const ROUNDS = { 10: 100, 1000: 40, 20000: 10, 100000: 5 };
const QUICK_ROUNDS = { 10: 20, 1000: 10, 20000: 3 };
/** Rounds until Node.js has compiled what runs, as it has in a service; the reference is as quick from the start. */
const WARM_UP = {
  ours: { 10: 600, 1000: 600, 20000: 100, 100000: 20 },
  reference: { 10: 20, 1000: 3, 20000: 1, 100000: 1 },
};
const STEPS = ['add', 'attach', 'detach', 'remove'];

/** One full add, attach, detach, remove; devices are there at once. */
export async function cycle({ quick, workspace }) {
  const rows = [];
  for (const [volumes, rounds] of Object.entries(quick ? QUICK_ROUNDS : ROUNDS)) {
    progress(`cycle: ${rounds} rounds with ${volumes} volumes`);
    rows.push(...(await cyclesAt(Number(volumes), rounds, workspace)));
  }
  if (existsSync(MEMORY)) rows.push(await cyclesInMemory(quick ? QUICK_ROUNDS : ROUNDS, workspace));
  return {
    title: 'One add, attach, detach, remove',
    note: 'N volumes, N/2 snapshots, N/2 attachments, up to 20 of them of this host and in its cache; long-lived processes. In memory: with the cache where flushing, which the reference does not do, costs nothing.',
    columns: SIDES,
    ratio: SIDES,
    rows,
  };
}

async function cyclesInMemory({ 10: rounds }, workspace) {
  progress(`cycle: ${rounds} rounds with 10 volumes, the cache in memory`);
  const [all] = await cyclesAt(10, rounds, workspace, makeWorkspace(MEMORY));
  return { ...all, what: 'N = 10, all, in memory' };
}

async function cyclesAt(volumes, rounds, workspace, caches = workspace) {
  const service = await Service.start(workspace, { volumes });
  const actors = await startActors(SIDES, caches, { service, cache: cacheOf(service.ours) });
  const [volume] = service.freeVolumes(1);
  const run = (actor) => actor.ask('cycle', { volume });
  for (const [side, actor] of actors) {
    for (let round = 0; round < WARM_UP[side][volumes]; round++) await run(actor);
  }
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
