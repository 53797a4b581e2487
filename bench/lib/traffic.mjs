import { cacheOf } from './inventory.mjs';
import { Service } from './service.mjs';
import { SIDES, startActors, stopActors } from './sides.mjs';

/** What one attach and one detach ask of the API of a cluster of that size, for both sides. */
export async function trafficOf(size, workspace) {
  const service = await Service.start(workspace, size);
  const actors = await startActors(SIDES, workspace, { service, cache: cacheOf(service.ours) });
  const [volume] = service.freeVolumes(1);
  const found = {};
  for (const [side, actor] of actors) {
    await service.traffic();
    await actor.ask('attach', { volume });
    const attach = await service.traffic();
    await actor.ask('detach', { volume });
    found[side] = { attach, detach: await service.traffic() };
  }
  await stopActors(actors);
  await service.stop();
  return found;
}
