import { setTimeout as sleep } from 'node:timers/promises';
import { now, rounded } from '../../lib/stats.mjs';
import { SLACK } from '../lib/scene.mjs';

/** `lock.stale`, which is counted from the last refresh. */
const STALE = 10_000;
const REFRESH = 5000;
const off = { lock: { kernelLock: 'off' } };

/** With the kernel lock nobody gets in, however long the holder does not answer; then all goes on. */
export async function blockedWithKernelLock(scene) {
  const { block } = scene.options;
  const holder = await scene.actor();
  const waiter = await scene.actor({ lock: { timeout: block + 10_000 } });
  await holder.ask('hold');
  const blocked = holder.ask('block', { ms: block });
  const waited = waiter.ask('hold');
  await blocked;
  await holder.ask('add', { key: 'holder', value: 1 });
  const released = await holder.ask('release');
  const entered = await waited;
  scene.check(entered.at >= (await blocked).at, 'somebody else was let in while the holder was blocked');
  scene.checkWait(entered.at - released.at, -SLACK, SLACK);
  const content = await waiter.ask('get');
  scene.check(content.holder === 1, `the waiter found ${JSON.stringify(content)}`);
  await waiter.ask('release');
  return { 'blocked ms': block, 'next after the release ms': rounded(entered.at - released.at) };
}

/** Nobody gets past a stopped holder with the kernel lock; who waits is told for whom. */
export async function stoppedWithKernelLock(scene) {
  const timeout = STALE + 500;
  const holder = await scene.actor();
  const waiter = await scene.actor({ lock: { timeout } });
  await holder.ask('hold');
  holder.signal('SIGSTOP');
  const start = now();
  const error = await waiter.refuse('hold');
  scene.checkWait(now() - start, timeout - 5, timeout + SLACK);
  scene.check(error.code === 'ELOCKED', `the waiter got ${error.code} ${error.message}`);
  // The lock that the flock program has taken is listed under the ID of that program, which has ended.
  const named = scene.options.locker === 'koffi' ? `process ${holder.pid} ` : 'the flock program';
  scene.check(error.message.includes(named), `the holder is not named: ${error.message}`);
  const again = waiter.ask('pass');
  holder.signal('SIGCONT');
  await holder.ask('add', { key: 'holder', value: 1 });
  await holder.ask('release');
  await again;
  scene.check(scene.content.holder === 1, 'the holder could not go on');
  return { ELOCKED: error.message };
}

/** Without the kernel lock the directory goes stale and somebody takes over: the first one's write must fail. */
export async function blockedWithoutKernelLock(scene) {
  const [holder, waiter] = [await scene.actor(off), await scene.actor(off)];
  const start = now();
  await holder.ask('hold');
  await holder.ask('add', { key: 'holder', value: 'before' });
  const blocked = holder.ask('block', { ms: scene.options.block });
  const entered = await waiter.ask('hold');
  scene.checkWait(entered.at - start, STALE - 10, STALE + REFRESH + SLACK);
  await waiter.ask('add', { key: 'waiter', value: 1 });
  await blocked;
  await expectLost(scene, holder, { holder: 'before', waiter: 1 });
  await waiter.ask('add', { key: 'waiter', value: 2 });
  scene.check(scene.content.waiter === 2, 'the one that took over lost its lock by the release of the first');
  await waiter.ask('release');
  await holder.ask('add', { key: 'holder', value: 'again' });
  scene.check(scene.content.holder === 'again', 'the first one could not lock again');
  return { 'taken over after ms': rounded(entered.at - start) };
}

/** As above, but nobody takes over: then nothing was lost, or it says that it cannot know. */
export async function blockedAndAlone(scene) {
  const holder = await scene.actor(off);
  await holder.ask('hold');
  await holder.ask('block', { ms: scene.options.block });
  const written = await outcome(holder.ask('add', { key: 'holder', value: 1 }));
  scene.check(['made', 'ECOMPROMISED'].includes(written), `the write ended with ${written}`);
  scene.check(
    (scene.content.holder === 1) === (written === 'made'),
    `${written}, but the file says otherwise`,
  );
  await holder.ask('release');
  return { 'the write was': written };
}

/** proper-lockfile knows no kernel lock, and takes the directory of one that is blocked. */
export async function blockedAndTakenByPlain(scene) {
  const [holder, plain] = [await scene.actor(), await scene.actor()];
  await holder.ask('hold');
  const blocked = holder.ask('block', { ms: scene.options.block });
  await plain.ask('plainHold');
  scene.write({ plain: 1 });
  await blocked;
  await expectLost(scene, holder, { plain: 1 });
  await plain.ask('plainRelease');
  await holder.ask('add', { key: 'holder', value: 1 });
  scene.check(scene.content.holder === 1, 'the holder could not lock again');
  return { 'the write was': 'ECOMPROMISED' };
}

/** A holder whose lock was taken over finds out before it writes, and its release takes nothing from others. */
async function expectLost(scene, holder, content) {
  for (const key of ['after', 'again']) {
    const { code, message } = await holder.refuse('add', { key, value: 1 });
    scene.check(code === 'ECOMPROMISED', `the holder that lost its lock got ${code} ${message}`);
  }
  const [found, wanted] = [scene.content, content].map((value) => JSON.stringify(value));
  scene.check(found === wanted, `the file holds ${found}, not ${wanted}`);
  await holder.ask('release');
}

export const clockJumpsWithKernelLock = (scene) => jump(scene, 'required');
export const clockJumpsWithoutKernelLock = (scene) => jump(scene, 'off');

/** A lock may be lost when a clock jumps, but never silently: what is acknowledged is there. */
async function jump(scene, kernelLock) {
  const lock = { kernelLock };
  const imports = [new URL('./jumping-clock.mjs', import.meta.url).href];
  const actors = [await scene.actor({ imports, lock }), await scene.actor({ lock })];
  const outcomes = {};
  const change = async (actor, who) => {
    for (let nr = 0; nr < 15; nr++) {
      const key = `${who}-${nr}`;
      await actor.ask('hold').catch(() => undefined);
      await sleep(100);
      const made = await outcome(actor.ask('add', { key, value: nr }));
      outcomes[made] = (outcomes[made] ?? 0) + 1;
      scene.check(['made', 'ECOMPROMISED', 'ELOCKED'].includes(made), `a change ended with ${made}`);
      if (made === 'made') {
        const content = await actor.ask('get').catch(() => undefined);
        const isThere = content === undefined || content[key] === nr;
        scene.check(isThere, `${key} was acknowledged and is lost`);
      }
      await actor.ask('release').catch(() => undefined);
      await sleep(50);
    }
  };
  await Promise.all(actors.map(change));
  scene.check(outcomes.made > 0, 'no change was ever made');
  return outcomes;
}

const outcome = (call) =>
  call.then(
    () => 'made',
    ({ code }) => code,
  );
