import { Actor } from './actor.mjs';

/** The two that are measured against each other. */
export const SIDES = ['reference', 'ours'];

/** One long-lived process for each kind, each with a cache of its own, on the same service. */
export async function startActors(kinds, workspace, { service, cache, deviceDir = service?.deviceDir } = {}) {
  const actors = new Map();
  for (const kind of kinds) {
    const file = workspace.cache(cache);
    actors.set(kind, await Actor.start(kind, { file, port: service?.port, deviceDir }));
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
