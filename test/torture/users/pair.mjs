import { readFileSync } from 'node:fs';
import { now, rounded } from '../../lib/stats.mjs';
import { whenTorn } from '../lib/aim.mjs';
import { seed } from '../lib/changes.mjs';
import { leftBehind } from '../lib/leftovers.mjs';
import { SLACK } from '../lib/scene.mjs';

const AT_ONCE = 1000;
const ATTEMPTS = 20;

/** One holds, the other waits and sees what the first has written. */
export async function holdAndWait(scene, [first, second]) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  await holder.ask('hold');
  const waited = waiter.ask('pass');
  await holder.ask('add', { key: 'held', value: first.name });
  const release = now();
  await holder.ask('release');
  const entered = await waited;
  scene.check(entered.at >= release, `${second.name} was let in beside ${first.name}`);
  scene.check(
    entered.at - release < SLACK,
    `${second.name} waited ${entered.at - release} ms after the release`,
  );
  scene.check((await waiter.ask('get')).held === first.name, `${second.name} does not see what was written`);
  scene.check(
    (await waiter.ask('warnings')).length === 0,
    `${second.name} warns: ${await waiter.ask('warnings')}`,
  );
  await Promise.all([holder.kill(), waiter.kill()]);
}

/** One is killed while it holds, the other is in at once and can do all that a holder does. */
export async function takeOver(scene, [first, second]) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  await holder.ask('hold');
  const waited = waiter.ask('pass');
  const left = leftBehind(scene.file);
  scene.check(left === 'recorded', `${first.name} holds, and beside the file there is ${left}`);
  const gone = await holder.kill();
  const wait = (await waited).at - gone;
  scene.check(wait < AT_ONCE, `${second.name} waited ${wait} ms for ${first.name}, who is dead`);
  await waiter.ask('add', { key: 'taken', value: second.name });
  scene.check(scene.content.taken === second.name, `${second.name} could not write`);
  await waiter.kill();
  return rounded(wait);
}

/** One is killed in the middle of a write, the other restores the file. */
export async function restoreAfter(scene, [first, second]) {
  const entries = seed(5000);
  scene.write(entries);
  const whole = readFileSync(scene.file).length / 2;
  const restorer = await scene.actor(second);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const writer = await scene.actor(first);
    const writing = writer.ask('changeForEver').catch(() => undefined);
    whenTorn(scene.file, whole, 3000, () => writer.signal('SIGKILL'));
    await writer.kill();
    await writing;
    const content = await restorer.ask('get');
    const found = Object.keys(content).filter((key) => key !== 'busy').length;
    scene.check(found === 5000, `${second.name} found ${found} of 5000 keys after ${first.name} was killed`);
    if ((await restorer.ask('warnings')).some((text) => text.includes('was torn'))) {
      await restorer.ask('add', { key: 'restored', value: second.name });
      scene.check(scene.content.restored === second.name, `${second.name} could not write after that`);
      await restorer.kill();
      return attempt + 1;
    }
  }
  scene.check(false, `${first.name} never left a torn file in ${ATTEMPTS} attempts`);
  return ATTEMPTS;
}
