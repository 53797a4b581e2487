import { writeFileSync } from 'node:fs';
import { progress } from '../../test/lib/progress.mjs';
import { cacheOf } from '../lib/inventory.mjs';
import { Service } from '../lib/service.mjs';
import { SIDES, startActor } from '../lib/sides.mjs';

const VOLUMES = 1000;
const DEVICE_DELAY = 50;
/** How many devices, and how often that is measured; the reference needs a second for each device. */
const CASES = [
  { devices: 1, rounds: { reference: 5, ours: 20 } },
  { devices: 10, rounds: { reference: 2, ours: 10 } },
  { devices: 200, rounds: { reference: 0, ours: 5 } },
];

/** How long after its device has appeared an attach ends. */
export async function device({ quick, workspace }) {
  const service = await Service.start(workspace, { volumes: VOLUMES, deviceDelay: DEVICE_DELAY });
  const rows = [];
  for (const { devices, rounds } of CASES) {
    const found = {};
    for (const side of SIDES) {
      const times = quick ? Math.ceil(rounds[side] / 5) : rounds[side];
      if (times === 0) continue;
      progress(`device: ${side}, ${devices} devices, ${times} rounds`);
      found[side] = await waits(side, devices, times, service, workspace);
    }
    const row = (what, pick) => ({
      what: `${devices} ${devices === 1 ? 'device' : 'devices'}, ${what}`,
      unit: 'ms',
      values: Object.fromEntries(Object.entries(found).map(([side, results]) => [side, results.map(pick)])),
    });
    rows.push(
      row('sync() takes', ({ ms }) => ms),
      row('it ends after the last appeared', ({ late }) => late),
    );
  }
  await service.stop();
  return {
    title: `Devices that appear ${DEVICE_DELAY} ms after the attachment`,
    note: `N = ${VOLUMES}. All of the volumes are attached by one sync(), one request each.`,
    columns: SIDES,
    ratio: SIDES,
    rows,
  };
}

async function waits(side, devices, rounds, service, workspace) {
  const file = workspace.cache();
  const { port, deviceDir } = service;
  const actor = await startActor(side, { file, port, deviceDir });
  const volumes = service.freeVolumes(devices);
  writeFileSync(file, cacheOf(volumes));
  const results = [];
  // The first round only warms up, which it need not where every round takes seconds.
  for (let round = rounds < 3 ? 1 : 0; round <= rounds; round++) {
    await service.reset();
    const { ms, ended } = await actor.ask('sync', { request: volumes[0] });
    if (round > 0) results.push({ ms, late: ended - (await service.lastLink()) });
  }
  await actor.stop();
  return results;
}
