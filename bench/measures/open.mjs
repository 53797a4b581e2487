import { progress } from '../../test/lib/progress.mjs';
import { watchHolds } from '../lib/holds.mjs';
import { cacheOf } from '../lib/inventory.mjs';
import { Service } from '../lib/service.mjs';
import { startActor } from '../lib/sides.mjs';

const VOLUMES = 1000;
const ROUNDS = 2;
/** Long enough for eleven attempts of all of them. */
const BESIDE = 3000;
/** A volume that stays open is tried so often, and forced at the last time. */
const ATTEMPTS = 11;
const PAUSES = 2000;

/** Many volumes that virtual machines have open are detached at once, as when a host is emptied. */
export async function openVolumes({ quick, workspace }) {
  const service = await Service.start(workspace, { volumes: VOLUMES });
  const found = { reference: [], ours: [], 'ours, 64 in one process': [] };
  for (let round = 1; round <= (quick ? 1 : ROUNDS); round++) {
    progress(`open: 16 processes of each side detach an open volume, round ${round}`);
    const inTurn = {
      reference: (work) => inProcesses('reference', 16, service, workspace, work),
      ours: (work) => inProcesses('ours', 16, service, workspace, work),
      'ours, 64 in one process': (work) => inOneProcess(64, service, workspace, work),
    };
    for (const [column, measure] of Object.entries(inTurn)) {
      const { results } = await measure(async (work) => ({ results: await work() }));
      found[column].push({ ...(await measure(beside)), undisturbed: longest(results) });
    }
  }
  await service.stop();
  const row = (what, unit, pick) => ({
    what,
    unit,
    values: Object.fromEntries(
      Object.entries(found).map(([column, rounds]) => [column, rounds.flatMap(pick)]),
    ),
  });
  return {
    title: 'Many open volumes detached at once',
    note: `N = ${VOLUMES}. Each volume stays open: ten attempts 200 ms apart, the eleventh by force. 16 processes, or 64 calls in one. Beside them a Python service and one of ours add() to the same cache all the time, but where it says that nobody is. Holds of one process that follow one another within 2 ms count as one.`,
    columns: Object.keys(found),
    rows: [
      row('succeeded', 'calls', ({ results }) => results.filter(({ error }) => error === undefined).length),
      row('longest success', 'ms', ({ results }) => longest(results)),
      row('longest success, nobody beside', 'ms', ({ undisturbed }) => undisturbed),
      row('its requests alone, and the ten pauses', 'ms', ({ alone }) => alone ?? []),
      row('longest hold of the lock', 'ms', ({ hold }) => hold),
      row('longest add() of a Python service beside', 'ms', ({ python }) => python),
      row('longest add() of ours beside', 'ms', ({ node }) => node),
    ],
  };
}

const longest = (results) => Math.max(0, ...results.flatMap(({ ms }) => ms ?? []));

/** The longest wait of an add() beside some work. */
async function beside(work, file) {
  const [python, node] = await Promise.all([startActor('reference', { file }), startActor('ours', { file })]);
  const longestAdd = async (actor) => Math.max(...(await actor.ask('addFor', { ms: BESIDE })).ms);
  const holds = watchHolds(file);
  const [results, ...waits] = await Promise.all([work(), longestAdd(python), longestAdd(node)]);
  const hold = holds.stop();
  await Promise.all([python.stop(), node.stop()]);
  return { results, hold, python: waits[0], node: waits[1] };
}

async function inProcesses(kind, count, service, workspace, measure) {
  const { port, deviceDir } = service;
  const volumes = service.freeVolumes(count);
  const file = workspace.cache(cacheOf([]));
  const actors = await Promise.all(volumes.map(() => startActor(kind, { file, port, deviceDir })));
  await service.reset({ deviceDelay: 0 });
  for (const [at, actor] of actors.entries()) await actor.ask('attach', { volume: volumes[at] });
  await service.open(volumes);
  const detach = (actor, at) =>
    actor.ask('detach', { volume: volumes[at] }).catch(({ message }) => ({ error: message }));
  const found = await measure(() => Promise.all(actors.map(detach)), file);
  await Promise.all(actors.map((actor) => actor.stop()));
  return kind === 'ours' ? { ...found, alone: await alone(volumes, count, service, workspace) } : found;
}

async function inOneProcess(count, service, workspace, measure) {
  const { port, deviceDir } = service;
  const volumes = service.freeVolumes(count);
  const file = workspace.cache(cacheOf([]));
  const actor = await startActor('ours', { file, port, deviceDir });
  await service.reset({ deviceDelay: 0 });
  await actor.ask('all', { command: 'attach', volumes });
  await service.open(volumes);
  const found = await measure(() => actor.ask('all', { command: 'detach', volumes }), file);
  await actor.stop();
  return { ...found, alone: await alone(volumes, 1, service, workspace) };
}

/** How long all attempts would take without a lock: what one process asks and sends, one after the other, and the pauses. */
async function alone(volumes, listsEach, { port, deviceDir }, workspace) {
  const actor = await startActor('ours', { file: workspace.cache(cacheOf([])), port, deviceDir });
  let ms = PAUSES;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    ms += (await actor.ask('requests', { volumes, lists: listsEach })).ms;
  }
  await actor.stop();
  return ms;
}
