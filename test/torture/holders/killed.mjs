import { setTimeout as sleep } from 'node:timers/promises';
import { now, quantile, rounded, tail } from '../../lib/stats.mjs';
import { leftBehind } from '../lib/leftovers.mjs';
import { SLACK, TICK } from '../lib/scene.mjs';

/** A waiter is in at once when a holder with the kernel lock is killed, though its directory is fresh. */
export async function killedWithKernelLock(scene) {
  const { rounds, within, stale } = scene.options;
  const waits = [];
  const waiter = await scene.actor();
  await waiter.ask('pass');
  for (let round = 0; round < rounds; round++) {
    const holder = await scene.actor();
    await holder.ask('hold');
    const waited = waiter.ask('pass');
    await sleep(30);
    scene.check(leftBehind(scene.file) === 'recorded', 'there is no directory to be left behind');
    const gone = await holder.kill();
    waits.push((await waited).at - gone);
  }
  const median = quantile(waits, 0.5);
  scene.check(median <= within, `half of the waiters waited longer than ${median} ms`);
  scene.check(
    quantile(waits, 1) < stale * 0.9,
    `one waited ${quantile(waits, 1)} ms, as for a stale directory`,
  );
  scene.figure({ kills: rounds, 'next in after ms': tail(waits) });
}

/** Nobody can know that a holder without it has gone: its directory is respected until it is stale. */
export async function killedWithoutKernelLock(scene) {
  const { stale } = scene.options;
  const holder = await scene.actor({ lock: { kernelLock: 'off' } });
  const waiter = await scene.actor();
  const start = now();
  await holder.ask('hold');
  await holder.kill();
  const entered = await waiter.ask('pass');
  scene.checkWait(entered.at - start, stale - TICK, stale + SLACK);
  scene.figure({ 'taken over after ms': rounded(entered.at - start) });
}
