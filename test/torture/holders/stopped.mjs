import { now, rounded } from '../../lib/stats.mjs';
import { SLACK } from '../lib/scene.mjs';

/** Nobody gets past a stopped holder with the kernel lock; it is told whom it waited for. */
export async function stoppedWithKernelLock(scene) {
  const { stale } = scene.options;
  const timeout = stale + 500;
  const holder = await scene.actor();
  const waiter = await scene.actor({ lock: { timeout } });
  await holder.ask('hold');
  holder.signal('SIGSTOP');
  const start = now();
  const error = await waiter.refuse('hold');
  const waited = now() - start;
  scene.check(error.code === 'ELOCKED', `the waiter got ${error.code} ${error.message}`);
  scene.check(error.message.includes(`process ${holder.pid} `), `the holder is not named: ${error.message}`);
  scene.checkWait(waited, timeout - 5, timeout + SLACK);
  const again = waiter.ask('pass');
  holder.signal('SIGCONT');
  await holder.ask('add', { key: 'holder', value: 1 });
  await holder.ask('release');
  await again;
  scene.check(scene.content.holder === 1, 'the holder could not go on');
  scene.figure({ 'timeout ms': timeout, 'ELOCKED after ms': rounded(waited) });
}

/** Without it, it is taken over and finds out before it writes. */
export async function stoppedWithoutKernelLock(scene) {
  const { stale } = scene.options;
  const lock = { kernelLock: 'off' };
  const holder = await scene.actor({ lock });
  const waiter = await scene.actor({ lock });
  await holder.ask('hold');
  holder.signal('SIGSTOP');
  const { wait } = await waiter.ask('hold');
  scene.checkWait(wait, 0, stale * 1.5 + SLACK);
  holder.signal('SIGCONT');
  const error = await holder.refuse('add', { key: 'holder', value: 1 });
  scene.check(error.code === 'ECOMPROMISED', `the stopped one got ${error.code} ${error.message}`);
  scene.check(scene.content.holder === undefined, 'the stopped one wrote all the same');
  await holder.ask('release');
  await waiter.ask('add', { key: 'waiter', value: 1 });
  await waiter.ask('release');
  scene.check(scene.content.waiter === 1, 'the one that took over could not write');
  scene.figure({ 'taken over after ms': rounded(wait) });
}
