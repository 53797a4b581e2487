import { existsSync } from 'node:fs';
import { progress } from '../../test/lib/progress.mjs';
import { MEMORY, makeWorkspace } from '../../test/lib/workspace.mjs';
import { flushes } from '../lib/flushes.mjs';
import { cacheOf, volumeName } from '../lib/inventory.mjs';
import { interleaved, samples, startActors, stopActors } from '../lib/sides.mjs';

const KINDS = ['reference', 'ours', 'ours, flock program', 'ours, no kernel lock'];
const ENTRIES = 50;
const ADDS = 20;
const ROUNDS = 10;
const QUICK_ROUNDS = 2;

/** add() while nobody else wants the lock, on the disk of the temporary directory and in memory. */
export async function add({ quick, workspace }) {
  const rounds = quick ? QUICK_ROUNDS : ROUNDS;
  const rows = [await addsIn('on disk', workspace, rounds)];
  if (existsSync(MEMORY)) rows.push(await addsIn('in memory', makeWorkspace(MEMORY), rounds));
  return {
    title: 'add() without contention',
    note: `A cache of ${ENTRIES} entries. The flushes alone: writing, flushing and renaming as the library does for crash safety, without a lock; the reference flushes nothing.`,
    columns: [...KINDS, 'the flushes alone'],
    ratio: ['ours', 'reference'],
    rows,
  };
}

async function addsIn(what, workspace, rounds) {
  progress(`add: ${rounds * ADDS} times each, ${what}`);
  const cache = cacheOf(Array.from({ length: ENTRIES }, (_, index) => volumeName(index)));
  const actors = await startActors(KINDS, workspace, { cache });
  actors.set('the flushes alone', { ask: (_, { times }) => flushes(workspace, cache, times) });
  const run = (actor) => actor.ask('add', { times: ADDS });
  await interleaved(actors, 1, run);
  const gathered = await interleaved(actors, rounds, run);
  actors.delete('the flushes alone');
  await stopActors(actors);
  return { what, unit: 'ms', values: samples(gathered, ({ ms }) => ms) };
}
