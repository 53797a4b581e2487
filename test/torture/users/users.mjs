import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { readableCopy } from '../../lib/readable-copy.mjs';
import { now, rounded } from '../../lib/stats.mjs';
import { leftBehind } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';

const GROUP = 61_100;
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const SCENES = { twoUsers, twoNamespaces };

program(
  {
    name: 'users',
    about: `Lets two users of one group share a file, and two processes in PID namespaces of their own, in which both are
process 1: each takes over from the other when that is killed, and finishes the write in which it died. What they make beside
the file has the file's group and mode.`,
    options: {
      umask: ['077', 'the umask of all of them', ['077', '022']],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES, process.getuid?.() === 0, 'only root can start processes of other users'),
);

function twoUsers(scene) {
  const program = join(readableCopy(), 'test/torture/lib/locking-actor.mjs');
  const user = (uid) => ({ user: { uid, gid: uid, groups: [GROUP] }, program });
  return quarrel(scene, [user(61_001), user(61_002)], ({ uid }, side) => uid === side.user.uid);
}

async function twoNamespaces(scene) {
  if (spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true']).status !== 0)
    return { skipped: 'unshare may not' };
  return quarrel(scene, [{ wrapper: UNSHARE }, { wrapper: UNSHARE }], ({ pid }) => pid === 1);
}

async function quarrel(scene, pair, isRight) {
  process.umask(Number.parseInt(scene.options.umask, 8));
  // As the deployment tool makes them.
  for (const path of [dirname(scene.file), scene.file]) chownSync(path, 0, GROUP);
  chmodSync(dirname(scene.file), 0o770);
  chmodSync(scene.file, 0o660);
  const { ino } = statSync(scene.file);
  const waits = [];
  for (const both of [pair, pair.toReversed()]) {
    waits.push(await takeOver(scene, both, isRight));
    await finish(scene, both);
  }
  for (const path of [scene.file, `${scene.file}.backup`]) {
    const { gid, mode } = statSync(path);
    scene.check(gid === GROUP && (mode & 0o777) === 0o660, `${path} has ${gid} ${mode.toString(8)}`);
  }
  scene.check(statSync(scene.file).ino === ino, 'there is another file in its place');
  return { 'took over after ms': waits.join(' and ') };
}

/** One is killed while it holds, the other is in at once, sees what the first has written, and can write. */
async function takeOver(scene, [first, second], isRight) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  const identity = await holder.ask('whoAmI');
  scene.check(isRight(identity, first), `the holder is ${JSON.stringify(identity)}`);
  await holder.ask('ourHold');
  const waited = waiter.ask('pass');
  await holder.ask('add', { key: 'held', value: 1 });
  scene.check(leftBehind(scene.file) === 'marked', 'the lock directory of the holder is not marked');
  const killed = now();
  await holder.kill();
  const wait = (await waited).at - killed;
  scene.checkWait(wait, 0, 1000);
  scene.check((await waiter.ask('get')).held === 1, 'the other does not see what was written');
  await waiter.ask('add', { key: 'taken', value: 1 });
  scene.check(scene.content.taken === 1, 'the other could not write');
  const warnings = await waiter.ask('warnings');
  scene.check(warnings.length === 0, `the other warns: ${warnings}`);
  await waiter.kill();
  return rounded(wait);
}

/** One is killed in the middle of a write, the other finishes it. */
async function finish(scene, [first, second]) {
  const [writer, next] = [await scene.actor(first), await scene.actor(second)];
  await writer.ask('add', { key: 'written', value: 1 });
  await writer.kill();
  const [{ file, content }, journal] = [scene, `${scene.file}.backup`];
  writeFileSync(file, '!');
  writeFileSync(journal, readFileSync(journal, 'utf8').replace(/\n$/u, '\t'));
  const found = await next.ask('get');
  scene.check(isDeepStrictEqual(found, content), `the other found ${JSON.stringify(found)}`);
  const warnings = await next.ask('warnings');
  scene.check(warnings.join().includes('was interrupted'), `the other warns: ${warnings}`);
  await next.ask('add', { key: 'next', value: 1 });
  scene.check(scene.content.next === 1, 'the other could not write after that');
  await next.kill();
}
