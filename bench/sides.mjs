import { fileURLToPath } from 'node:url';
import { Actor } from '../test/lib/actor.mjs';
import { nodeArguments } from '../test/lib/locker.mjs';
import { progressNowAndThen } from '../test/lib/progress.mjs';
import { volumeName } from './inventory.mjs';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const OURS = [process.execPath, path('./ours.mjs')];

/** What can be measured against each other: how each is started. */
const KINDS = {
  reference: ['python3', path('./reference.py')],
  ours: OURS,
  'ours, flock program': [OURS[0], ...nodeArguments('flock'), OURS[1]],
  floor: [process.execPath, path('./floor.mjs')],
};

/** A process that does what it is told with a cache and a service, and times it itself. */
export function startActor(kind, { file, service, ...options }) {
  const [program, ...args] = KINDS[kind];
  const { port = 0, deviceDir = '/dev/storpool' } = service ?? {};
  return Actor.start(program, [...args, JSON.stringify({ file, port, deviceDir, ...options })]);
}

/** Starts the API of a cluster of that size. */
export async function startService(workspace, volumes) {
  const deviceDir = workspace.devices();
  const options = JSON.stringify({ volumes, deviceDir });
  const actor = await Actor.start(process.execPath, [path('./server.mjs'), options]);
  return {
    port: await actor.ask('listen'),
    deviceDir,
    ask: (command, args) => actor.ask(command, args),
    stop: () => actor.stop(),
    /** Volumes that are attached nowhere. */
    free: (count) => Array.from({ length: count }, (_, at) => volumeName(volumes - 1 - at)),
  };
}

/**
 * Lets the columns of a table take turns, so that whatever else the machine does meets them all. Returns a function that
 * makes the values of a row, picked from what was measured in each round.
 */
export async function takeTurns(what, columns, rounds, measure) {
  const found = Object.entries(columns).map(([column, options]) => ({ column, options, results: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const { column, options, results } of round % 2 === 0 ? found : found.toReversed()) {
      progressNowAndThen(`${what}: ${column}, round ${round + 1} of ${rounds}`);
      results.push(await measure(options, round));
    }
  }
  return (pick) => Object.fromEntries(found.map(({ column, results }) => [column, results.flatMap(pick)]));
}

/** So many processes of each kind, each with a cache of its own. */
export async function startActors(kinds, { workspace, cache, service, count = 1 }) {
  const actors = Object.fromEntries(kinds.map((kind) => [kind, []]));
  for (const kind of kinds) {
    while (actors[kind].length < count) {
      actors[kind].push(await startActor(kind, { file: workspace.cache(cache), service }));
    }
  }
  return actors;
}

export const stopAll = (actors) => Promise.all(actors.map((actor) => actor.stop()));

/** Calls that {@link allAtOnce} makes in as many processes. */
export const CROWDS = {
  'reference, 16 processes': { kind: 'reference', processes: 16, calls: 16 },
  'ours, 16 processes': { kind: 'ours', processes: 16, calls: 16 },
};

/** @returns how long each call for a volume took in ms, null for each that failed; `prepare` gets the processes */
export async function allAtOnce(command, { kind, processes }, { file, service, volumes, prepare }) {
  const actors = [];
  while (actors.length < processes) actors.push(await startActor(kind, { file, service }));
  await prepare(actors);
  const results = await Promise.all(
    processes === 1
      ? await actors[0].ask('all', { command, volumes })
      : volumes.map((volume, at) => actors[at].ask(command, { volume }).catch(() => null)),
  );
  await stopAll(actors);
  return results;
}
