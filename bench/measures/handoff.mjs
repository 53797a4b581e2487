import { progress } from '../../test/lib/progress.mjs';
import { startActor } from '../lib/sides.mjs';

const KINDS = ['reference', 'ours', 'ours, flock program'];
const ROUNDS = 40;
const QUICK_ROUNDS = 10;
/** The holder holds that long, and up to as much longer: the waiter, which may look once in 100 ms, looks at any time. */
const HOLD = 100;

/** From the moment that one process is done with the lock until another that waits has it. */
export async function handoff({ quick, workspace }) {
  const pairs = new Map();
  for (const kind of KINDS) {
    const file = workspace.cache();
    pairs.set(kind, {
      holder: await startActor(kind, { file }),
      waiter: await startActor(kind, { file }),
      times: [],
    });
  }
  const rounds = quick ? QUICK_ROUNDS : ROUNDS;
  progress(`handoff: ${rounds} rounds`);
  for (let round = -1; round < rounds; round++) {
    for (const { holder, waiter, times } of pairs.values()) {
      const time = await passOn(holder, waiter);
      if (round >= 0) times.push(time);
    }
  }
  for (const { holder, waiter } of pairs.values()) await Promise.all([holder.stop(), waiter.stop()]);
  const values = Object.fromEntries([...pairs].map(([kind, { times }]) => [kind, times]));
  return {
    title: 'Handing the lock over to a process that waits',
    columns: KINDS,
    ratio: ['reference', 'ours'],
    rows: [{ what: 'released to locked', unit: 'ms', values }],
  };
}

async function passOn(holder, waiter) {
  await holder.ask('hold');
  const after = HOLD * (1 + Math.random());
  const [released, got] = await Promise.all([holder.ask('release', { after }), waiter.ask('hold')]);
  await waiter.ask('release', { after: 0 });
  return got.at - released.at;
}
