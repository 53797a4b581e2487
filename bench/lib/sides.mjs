import { fileURLToPath } from 'node:url';
import { Actor } from '../../test/lib/actor.mjs';
import { nodeArguments } from '../../test/lib/locker.mjs';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const OURS = path('./our-actor.mjs');

/** What can be measured against each other: how each is started. */
const KINDS = {
  reference: { command: ['python3', path('../reference_model.py')] },
  ours: { command: [process.execPath, OURS] },
  'ours, flock program': { command: [process.execPath, ...nodeArguments('flock'), OURS] },
  'ours, no kernel lock': { command: [process.execPath, OURS], lock: { kernelLock: 'off' } },
};

/** The two that are measured against each other. */
export const SIDES = ['reference', 'ours'];

/** A process that does what it is told to that cache and to the API, and times it itself. */
export function startActor(kind, { file, port = 0, deviceDir = '/dev/storpool' }) {
  const { command, lock } = KINDS[kind];
  const [program, ...args] = [...command, file, String(port), deviceDir];
  return Actor.start(program, lock === undefined ? args : [...args, JSON.stringify(lock)]);
}

/** One long-lived process for each kind, each with a cache of its own, on the same service. */
export async function startActors(kinds, workspace, { service, cache, deviceDir = service?.deviceDir } = {}) {
  const actors = new Map();
  for (const kind of kinds) {
    const file = workspace.cache(cache);
    actors.set(kind, await startActor(kind, { file, port: service?.port, deviceDir }));
  }
  return actors;
}

export async function stopActors(actors) {
  for (const actor of actors.values()) await actor.stop();
}

/**
 * Lets the actors take turns, so that whatever else the machine does meets them all, and gathers what each
 * round gives.
 */
export async function interleaved(actors, rounds, measure) {
  const gathered = new Map([...actors.keys()].map((kind) => [kind, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [kind, actor] of actors) gathered.get(kind).push(await measure(actor, kind, round));
  }
  return gathered;
}

/** Samples by column, from what {@link interleaved} gathered. */
export const samples = (gathered, pick) =>
  Object.fromEntries([...gathered].map(([kind, rounds]) => [kind, rounds.flatMap(pick)]));
