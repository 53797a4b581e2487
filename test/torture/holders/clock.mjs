import { setTimeout as sleep } from 'node:timers/promises';
import { now, rounded } from '../../lib/stats.mjs';
import { SLACK } from '../lib/scene.mjs';

const imports = [new URL('./clock-jumping.mjs', import.meta.url).href];
const ROUNDS = 3;

/** With the kernel lock nobody gets in beside the holder, and its writes are made, however the clocks jump. */
export async function clockJumpsWithKernelLock(scene) {
  const holder = await scene.actor({ imports });
  const waiters = [await scene.actor({ imports }), await scene.actor()];
  const waits = [];
  for (let round = 0; round < ROUNDS; round++) {
    await holder.ask('hold');
    const waiting = waiters.map((waiter) => waiter.ask('pass'));
    await sleep(1500);
    await holder.ask('add', { key: 'holder', value: round });
    scene.check(scene.content.holder === round, 'the change of the holder is not in the file');
    const release = now();
    await holder.ask('release');
    for (const entered of await Promise.all(waiting)) {
      scene.check(entered.at >= release, 'somebody was let in beside the holder');
      waits.push(entered.at - release);
    }
  }
  scene.check(Math.max(...waits) < SLACK, `one waited ${Math.max(...waits)} ms after the release`);
  scene.figure({ rounds: ROUNDS, 'in after ms': rounded(Math.max(...waits)) });
}

/** Without it a lock may be lost to whose clock is ahead, but never silently: what is acknowledged is there. */
export async function clockJumpsWithoutKernelLock(scene) {
  const lock = { kernelLock: 'off' };
  const actors = [await scene.actor({ imports, lock }), await scene.actor({ lock })];
  const outcomes = {};
  await Promise.all(
    actors.map(async (actor, who) => {
      for (let nr = 0; nr < 4 * ROUNDS; nr++) {
        const key = `${who}-${nr}`;
        const made = await actor.ask('add', { key, value: nr }).then(
          () => 'made',
          ({ code }) => code,
        );
        outcomes[made] = (outcomes[made] ?? 0) + 1;
        const isTold = ['made', 'ECOMPROMISED', 'ELOCKED'].includes(made);
        scene.check(isTold, `a change ended with ${made}`);
        if (made === 'made') {
          const content = await actor.ask('get').catch(() => undefined);
          scene.check(content === undefined || content[key] === nr, `${key} was acknowledged and is lost`);
        }
        await sleep(100);
      }
    }),
  );
  scene.check(outcomes.made > 0, 'no change was ever made');
  scene.figure(outcomes);
}
