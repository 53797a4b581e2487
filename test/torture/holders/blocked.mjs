import { setTimeout as sleep } from 'node:timers/promises';
import { now, rounded } from '../../lib/stats.mjs';
import { SLACK, TICK } from '../lib/scene.mjs';

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
  const released = holder.ask('release');
  const entered = await waited;
  scene.check(entered.at >= (await blocked).at, 'somebody else was let in while the holder was blocked');
  scene.checkWait(entered.at - (await released).at, -SLACK, SLACK);
  const content = await waiter.ask('get');
  scene.check(content.holder === 1, `the waiter found ${JSON.stringify(content)}`);
  await waiter.ask('release');
  scene.figure({
    'blocked ms': block,
    'next after the release ms': rounded(entered.at - (await released).at),
  });
}

/** Without the kernel lock the directory goes stale and somebody takes over: the first one's write must fail. */
export async function blockedWithoutKernelLock(scene) {
  const { block, stale } = scene.options;
  const lock = { kernelLock: 'off' };
  const holder = await scene.actor({ lock });
  const waiter = await scene.actor({ lock });
  const start = now();
  await holder.ask('hold');
  await holder.ask('add', { key: 'holder', value: 'before' });
  const blocked = holder.ask('block', { ms: block });
  const entered = await waiter.ask('hold');
  // Its last refresh may have been just before it was blocked.
  scene.checkWait(entered.at - start, stale - TICK, stale * 1.5 + SLACK);
  await waiter.ask('add', { key: 'waiter', value: 1 });
  await blocked;
  const error = await holder.refuse('add', { key: 'holder', value: 'after' });
  scene.check(
    error.code === 'ECOMPROMISED',
    `the holder that lost its lock got ${error.code} ${error.message}`,
  );
  const expected = JSON.stringify({ holder: 'before', waiter: 1 });
  scene.check(JSON.stringify(scene.content) === expected, `the file holds ${JSON.stringify(scene.content)}`);
  await holder.ask('release');
  await waiter.ask('add', { key: 'waiter', value: 2 });
  scene.check(scene.content.waiter === 2, 'the one that took over lost its lock by the release of the first');
  await waiter.ask('release');
  await holder.ask('add', { key: 'holder', value: 'again' });
  scene.check(scene.content.holder === 'again', 'the first one could not lock again');
  scene.figure({ 'taken over after ms': rounded(entered.at - start) });
}

/** As above, but nobody takes over: then nothing was lost, or it says that it cannot know. */
export async function blockedAndAlone(scene) {
  const { block } = scene.options;
  const holder = await scene.actor({ lock: { kernelLock: 'off' } });
  await holder.ask('hold');
  await holder.ask('block', { ms: block });
  const written = await holder.ask('add', { key: 'holder', value: 1 }).then(
    () => true,
    ({ code }) => code,
  );
  scene.check(written === true || written === 'ECOMPROMISED', `the write ended with ${written}`);
  scene.check((scene.content.holder === 1) === (written === true), `${written}, but the file says otherwise`);
  await holder.ask('release');
  scene.figure({ 'the write': written === true ? 'was made' : written });
}

/** proper-lockfile knows no kernel lock and takes the directory: we wait for it and take it again. */
export async function blockedAndTakenByPlain(scene) {
  const { block, stale } = scene.options;
  const results = {};
  for (const changes of [false, true]) {
    scene.write({});
    const holder = await scene.actor();
    const plain = await scene.actor();
    await holder.ask('hold');
    await holder.ask('get');
    const blocked = holder.ask('block', { ms: block });
    await plain.ask('plainHold', { stale });
    if (changes) scene.write({ plain: 1 });
    await blocked;
    const writing = holder.ask('add', { key: 'holder', value: 1 }).then(
      () => 'was made',
      ({ code }) => code,
    );
    await sleep(300);
    scene.check(
      scene.content.holder === undefined,
      'the holder wrote while proper-lockfile had the directory',
    );
    await plain.ask('plainRelease');
    const written = await writing;
    const wanted = changes ? 'ECOMPROMISED' : 'was made';
    scene.check(written === wanted, `the write of the holder ${written}, which had to be ${wanted}`);
    scene.check((scene.content.holder === 1) === !changes, `the file holds ${JSON.stringify(scene.content)}`);
    await holder.ask('release');
    results[changes ? 'after a change by the other' : 'after none'] = written;
  }
  scene.figure(results);
}
