import { allAtOnce, CROWDS, startActor, startService, stopAll, takeTurns } from '../sides.mjs';

const VOLUMES = 1000;
const COLUMNS = { ...CROWDS, 'ours, 64 calls in one': { kind: 'ours', processes: 1, calls: 64 } };
/** A volume that stays open is tried so often, with pauses of 200 ms, and forced at the last time. */
const ATTEMPTS = 11;
const PAUSES = 2000;
/** Long enough for all of these attempts, ms. */
const BESIDE = 3000;

/** Many volumes that virtual machines have open are detached at once, as when a host is emptied. */
export async function openVolumes({ quick, workspace }) {
  const service = await startService(workspace, VOLUMES);
  const values = await takeTurns('open', COLUMNS, quick ? 1 : 2, async (crowd) => ({
    quiet: await detached(crowd, { service, workspace }),
    beside: await detached(crowd, { service, workspace, others: ['reference', 'ours'] }),
    alone: await requestsAlone(crowd, service),
  }));
  await service.stop();
  return {
    title: 'Many open volumes detached at once',
    note: `N = ${VOLUMES}. Each volume stays open: ten attempts 200 ms apart, the eleventh by force. Beside them, where it says so, a Python service and one of ours add() to the same cache all the time.`,
    ratios: [['ours, 16 processes', 'reference, 16 processes']],
    rows: [
      { what: 'succeeded', values: values(({ quiet }) => quiet.succeeded) },
      { what: 'longest success, ms', values: values(({ quiet }) => quiet.longest) },
      { what: 'their requests alone, and ten pauses, ms', values: values(({ alone }) => alone) },
      { what: 'beside others: longest success, ms', values: values(({ beside }) => beside.longest) },
      { what: 'longest add() of Python beside, ms', values: values(({ beside }) => beside.waits[0]) },
      { what: 'longest add() of ours beside, ms', values: values(({ beside }) => beside.waits[1]) },
    ],
  };
}

async function detached(crowd, { service, workspace, others = [] }) {
  const volumes = service.free(crowd.calls);
  const file = workspace.cache();
  const beside = await Promise.all(others.map((kind) => startActor(kind, { file })));
  let adding = [];
  const prepare = async (actors) => {
    await service.ask('reset', { deviceDelay: 0 });
    for (const [at, volume] of volumes.entries()) {
      await actors[at % actors.length].ask('attach', { volume });
    }
    await service.ask('open', { volumes });
    adding = beside.map((actor) => actor.ask('addFor', { ms: BESIDE }));
  };
  const results = await allAtOnce('detach', crowd, { file, service, volumes, prepare });
  const waits = (await Promise.all(adding)).map(({ ms }) => Math.max(...ms));
  await stopAll(beside);
  const times = results.filter((ms) => ms !== null);
  return { succeeded: times.length, longest: Math.max(...times), waits };
}

/** How long the attempts would take without any lock: all requests one after the other, and the pauses. */
async function requestsAlone({ processes, calls }, service) {
  const actor = await startActor('ours', { file: '/nowhere', service });
  const volumes = service.free(calls);
  await service.ask('open', { volumes });
  let ms = PAUSES;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    // After "open", the next attempt sends without asking for the attachments.
    ms += await actor.ask('requests', { volumes, lists: attempt === 0 ? processes : 0 });
  }
  await actor.stop();
  return ms;
}
