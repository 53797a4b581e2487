import { mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { now, quantile, rounded, tail } from '../../lib/stats.mjs';
import { leftBehind } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing, SLACK } from '../lib/scene.mjs';

const SCENES = {
  killed,
  leftMarked: (scene) => leave(scene, 0o1755, {}, [0, 1000]),
  leftMarkedForOneWithoutKernelLock: (scene) => leave(scene, 0o1755, OFF, RESPECTED),
  leftUnmarked: (scene) => leave(scene, 0o755, {}, RESPECTED),
  blocked,
  stopped,
  takenOver: (scene) => lose(scene, OFF, 'our'),
  takenByPlain: (scene) => lose(scene, {}, 'plain'),
  clockJumps: (scene) => clockJumps(scene, {}),
  clockJumpsWithoutKernelLock: (scene) => clockJumps(scene, OFF),
};

/** Without the kernel lock. */
const OFF = { lock: { kernelLock: 'off' } };
/** When a lock directory is stale, counted from its last refresh, and how often it is refreshed. Milliseconds. */
const STALE = 10_000;
const REFRESH = 5000;
/** The kernel's time of a file may lag behind its clock. */
const RESPECTED = [STALE - 10, STALE + SLACK];

program(
  {
    name: 'holders',
    about: `Plays holders that block, stop, die and leave things behind, and clocks that jump: there are never two holders at work,
a lost lock is an error before anything is written, and nobody waits longer than documented.`,
    options: {
      block: [
        15_000,
        'ms for which a holder is blocked, more than the 10 s after which a directory is stale',
      ],
      rounds: [50, 'how often a holder is killed'],
      within: [50, 'ms within which the next one is in then, as a median'],
      together: [6, 'how many scenes are played at the same time'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES),
);

/** A waiter is in at once when a holder with the kernel lock is killed, though its directory is fresh. */
async function killed(scene) {
  const { rounds, within } = scene.options;
  const waits = [];
  const waiter = await scene.actor();
  for (let round = 0; round < rounds; round++) {
    const holder = await scene.actor();
    await holder.ask('ourHold');
    const waited = waiter.ask('pass');
    await sleep(30);
    scene.check(leftBehind(scene.file) === 'marked', 'there is no marked directory to be left behind');
    const start = now();
    await holder.kill();
    waits.push((await waited).at - start);
  }
  scene.checkWait(quantile(waits, 0.5), 0, within);
  scene.checkWait(quantile(waits, 1), 0, 1000);
  return { kills: rounds, 'next in after ms': tail(waits) };
}

/** A lock directory that nobody refreshes: with the mark of the kernel lock, whoever has that lock need not wait. */
async function leave(scene, mode, side, bounds) {
  const waiter = await scene.actor(side);
  const start = now();
  mkdirSync(`${scene.file}.lock`, { mode });
  const wait = (await waiter.ask('pass')).at - start;
  scene.checkWait(wait, ...bounds);
  await waiter.ask('add', { key: 'waiter', value: 1 });
  scene.check(scene.content.waiter === 1, 'it could not write');
  return { 'taken over after ms': rounded(wait) };
}

/** With the kernel lock nobody gets in, however long the holder does not answer; then all goes on. */
async function blocked(scene) {
  const { block } = scene.options;
  const [holder, waiter] = [await scene.actor(), await scene.actor({ lock: { timeout: block + 10_000 } })];
  await holder.ask('ourHold');
  const answer = holder.ask('block', { ms: block });
  const waited = waiter.ask('pass');
  await answer;
  await holder.ask('add', { key: 'holder', value: 1 });
  const released = now();
  await holder.ask('ourRelease');
  const wait = (await waited).at - released;
  scene.checkWait(wait, 0, SLACK);
  scene.check(scene.content.holder === 1, 'the holder could not write');
  return { 'blocked ms': block, 'next after the release ms': rounded(wait) };
}

/** Nobody gets past a stopped holder with the kernel lock; who waits is told for whom. */
async function stopped(scene) {
  const timeout = STALE + 500;
  const [holder, waiter] = [await scene.actor(), await scene.actor({ lock: { timeout } })];
  await holder.ask('ourHold');
  holder.signal('SIGSTOP');
  const start = now();
  const { code, message } = await waiter.refuse('ourHold');
  scene.checkWait(now() - start, timeout - 5, timeout + SLACK);
  // The lock that the flock program has taken is listed under the ID of that program, which has ended.
  const name = scene.options.locker === 'koffi' ? `process ${holder.pid} ` : 'the flock program';
  scene.check(code === 'ELOCKED' && message.includes(name), `the waiter got ${code} ${message}`);
  holder.signal('SIGCONT');
  await holder.ask('add', { key: 'holder', value: 1 });
  await holder.ask('ourRelease');
  scene.check(scene.content.holder === 1, 'the holder could not go on');
  return { ELOCKED: message };
}

/**
 * The directory of one that is blocked goes stale, and somebody without the kernel lock takes over: one of ours, or a
 * plain user of proper-lockfile. The first finds out before it writes, and its release takes nothing from the other.
 */
async function lose(scene, side, kind) {
  const [holder, other] = [await scene.actor(side), await scene.actor(side)];
  const start = now();
  await holder.ask('ourHold');
  const answer = holder.ask('block', { ms: scene.options.block });
  await other.ask(`${kind}Hold`);
  const wait = now() - start;
  scene.checkWait(wait, STALE - 10, STALE + REFRESH + SLACK);
  scene.write({ other: 1 });
  await answer;
  const { code, message } = await holder.refuse('add', { key: 'holder', value: 1 });
  scene.check(code === 'ECOMPROMISED', `the holder that lost its lock got ${code} ${message}`);
  await holder.ask('ourRelease');
  scene.check(leftBehind(scene.file) !== 'nothing', 'the other lost its lock by the release of the first');
  const found = JSON.stringify(scene.content);
  scene.check(found === '{"other":1}', `the file holds ${found}`);
  await other.ask(`${kind}Release`);
  await holder.ask('add', { key: 'holder', value: 1 });
  scene.check(scene.content.holder === 1, 'the holder could not lock again');
  return { 'taken over after ms': rounded(wait), ECOMPROMISED: message };
}

/** A lock may be lost when a clock jumps, but never silently: what is acknowledged is there. */
async function clockJumps(scene, side) {
  const imports = [new URL('./jumping-clock.mjs', import.meta.url).href];
  const actors = [await scene.actor({ ...side, imports }), await scene.actor(side)];
  const outcomes = { made: 0 };
  const change = async (actor, who) => {
    for (let nr = 0; nr < 15; nr++) {
      const key = `${who}-${nr}`;
      await actor.ask('ourHold').catch(() => undefined);
      await sleep(100);
      const added = actor.ask('add', { key, value: nr });
      const outcome = await added.then(
        () => 'made',
        ({ code }) => code,
      );
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      scene.check(['made', 'ECOMPROMISED', 'ELOCKED'].includes(outcome), `a change ended with ${outcome}`);
      const content = await actor.ask('get').catch(() => undefined);
      const isLost = outcome === 'made' && content !== undefined && content[key] !== nr;
      scene.check(!isLost, `${key} was acknowledged and is lost`);
      await actor.ask('ourRelease').catch(() => undefined);
    }
  };
  await Promise.all(actors.map(change));
  scene.check(outcomes.made > 0, 'no change was ever made');
  return outcomes;
}
