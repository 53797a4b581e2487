import { progress } from '../../test/lib/progress.mjs';
import { Service } from '../lib/service.mjs';
import { startActor } from '../lib/sides.mjs';

const VOLUMES = 1000;
const DEVICE_DELAY = 1000;
const ROUNDS = 3;
const WARM_UP = 3;

/** Many at once, each attaching a volume of its own whose device appears after a second. */
export async function concurrent({ quick, workspace }) {
  const service = await Service.start(workspace, { volumes: VOLUMES });
  const rows = [];
  for (const count of quick ? [16] : [16, 64]) {
    const found = { reference: [], ours: [], 'ours, one process': [] };
    for (let round = 1; round <= (quick ? 1 : ROUNDS); round++) {
      progress(`concurrent: ${count} attaches at once, round ${round}`);
      found.reference.push(await inProcesses('reference', count, service, workspace));
      found.ours.push(await inProcesses('ours', count, service, workspace));
      found['ours, one process'].push(await inOneProcess(count, service, workspace));
    }
    const row = (what, unit, pick) => ({
      what: `${count} at once, ${what}`,
      unit,
      values: Object.fromEntries(Object.entries(found).map(([column, rounds]) => [column, rounds.map(pick)])),
    });
    rows.push(
      { ...row('succeeded', 'calls', (results) => succeeded(results).length), ratio: false },
      row('median from call to success', 'ms', (results) => middle(succeeded(results))),
      row('longest from call to success', 'ms', (results) => Math.max(...succeeded(results))),
    );
  }
  await service.stop();
  return {
    title: 'Many attaches at once, devices after 1 s',
    note: `N = ${VOLUMES}. All processes are warm. The times are of those that succeed; the others do not get the lock in time.`,
    columns: ['reference', 'ours', 'ours, one process'],
    ratio: ['reference', 'ours'],
    rows,
  };
}

const succeeded = (results) => results.filter(({ error }) => error === undefined).map(({ ms }) => ms);
const middle = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)];

async function inProcesses(kind, count, service, workspace) {
  const { port, deviceDir } = service;
  const file = workspace.cache();
  const volumes = service.freeVolumes(count);
  const actors = await Promise.all(volumes.map(() => startActor(kind, { file, port, deviceDir })));
  await warmUp(actors, volumes[0], service);
  const results = await Promise.all(
    actors.map((actor, at) =>
      actor.ask('attach', { volume: volumes[at] }).catch(({ message }) => ({ error: message })),
    ),
  );
  await Promise.all(actors.map((actor) => actor.stop()));
  return results;
}

async function inOneProcess(count, service, workspace) {
  const actor = await startActor('ours', {
    file: workspace.cache(),
    port: service.port,
    deviceDir: service.deviceDir,
  });
  await warmUp([actor], service.freeVolumes(1)[0], service);
  const results = await actor.ask('all', { command: 'attach', volumes: service.freeVolumes(count) });
  await actor.stop();
  return results;
}

/** Services live long: none of them attaches for the first time. */
async function warmUp(actors, volume, service) {
  await service.reset({ deviceDelay: 0 });
  for (let round = 0; round < WARM_UP; round++) {
    for (const actor of actors) await actor.ask('cycle', { volume });
  }
  await service.reset({ deviceDelay: DEVICE_DELAY });
}
