import { existsSync } from 'node:fs';
import { MEMORY, makeWorkspace } from '../../test/lib/workspace.mjs';
import { cacheOf } from '../inventory.mjs';
import { startActors, stopAll, takeTurns } from '../sides.mjs';

const SIDES = ['reference', 'ours', 'ours, flock program', 'floor'];
const ENTRIES = 50;

/** add() while nobody else wants the lock, on the disk of the temporary directory and in memory. */
export async function add({ quick, workspace }) {
  const places = { 'on disk': workspace };
  if (existsSync(MEMORY)) places['in memory'] = makeWorkspace(MEMORY);
  const rows = [];
  for (const [what, place] of Object.entries(places)) {
    const actors = await startActors(SIDES, { workspace: place, cache: cacheOf(ENTRIES) });
    // The first round warms up.
    const values = await takeTurns(`add ${what}`, actors, quick ? 3 : 11, async ([actor], round) => {
      const ms = await actor.ask('add', { times: 20 });
      return round === 0 ? [] : ms;
    });
    await stopAll(Object.values(actors).flat());
    rows.push({ what: `${what}, ms`, values: values((ms) => ms) });
  }
  return {
    title: 'add() without contention',
    note: `A cache of ${ENTRIES} entries. The reference flushes nothing; the floor is both locks and two flushes.`,
    ratios: [
      ['ours', 'reference'],
      ['ours', 'floor'],
    ],
    rows,
  };
}
