import { progress } from '../../test/lib/progress.mjs';
import { watchHolds } from '../lib/holds.mjs';
import { cacheOf } from '../lib/inventory.mjs';
import { Service } from '../lib/service.mjs';
import { startActor } from '../lib/sides.mjs';

const VOLUMES = 1000;

/** While the API is down and one process wants to attach a volume, others add() to the same cache. */
export async function down({ quick, workspace }) {
  const time = quick ? 8000 : 40_000;
  progress(`down: the API does not answer for ${time} ms`);
  const service = await Service.start(workspace, { volumes: VOLUMES });
  const { port, deviceDir } = service;
  const file = workspace.cache(cacheOf([]));
  const actors = {
    attaching: await startActor('ours', { file, port, deviceDir }),
    python: await startActor('reference', { file }),
    node: await startActor('ours', { file }),
  };
  const [volume] = service.freeVolumes(1);
  await actors.attaching.ask('cycle', { volume });
  await service.down(time);
  const holds = watchHolds(file);
  const [attached, python, node] = await Promise.all([
    actors.attaching.ask('attach', { volume }).catch(({ code }) => ({ error: code })),
    actors.python.ask('addFor', { ms: time }),
    actors.node.ask('addFor', { ms: time }),
  ]);
  const hold = holds.stop();
  await Promise.all(Object.values(actors).map((actor) => actor.stop()));
  await service.stop();
  const row = (what, unit, values) => ({ what, unit, values: { ours: values } });
  return {
    title: `An attach while the API is down for ${time / 1000} s`,
    note: `The attach ${attached.error === undefined ? 'succeeded once the API was back' : `failed with ${attached.error} after all its retries`}. The reference keeps the lock through all of them, so that every service beside it fails after 10 s.`,
    columns: ['ours'],
    rows: [
      row('longest hold of the lock', 'ms', [hold]),
      row('add() of a Python service beside', 'ms', python.ms),
      row('longest of those', 'ms', [Math.max(...python.ms)]),
      row('add() of ours beside', 'ms', node.ms),
      row('longest of those', 'ms', [Math.max(...node.ms)]),
    ],
  };
}
