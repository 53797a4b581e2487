import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readableCopy } from '../../lib/readable-copy.mjs';
import { rounded } from '../../lib/stats.mjs';
import { seed } from '../lib/changes.mjs';
import { leftBehind, whenTorn } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';

const GROUP = 61_100;
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const SCENES = { twoUsers, twoNamespaces };
const ENTRIES = 5000;
/** How often a writer is killed until it leaves a torn file. */
const ATTEMPTS = 20;

program(
  {
    name: 'users',
    about: `Lets two users of one group share a file, and two processes in PID namespaces of their own, in which both are
process 1: each takes over from the other when that is killed, and finishes the write in which it died. What they make beside
the file has the file's group and mode.`,
    options: {
      umask: ['077', 'the umask of all of them', ['077', '022']],
      setgid: ['yes', 'whether the directory gives its group to what is in it', ['yes', 'no']],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  async (options, report) => {
    if (process.getuid?.() !== 0) return report.skip('only root can start processes of other users');
    return playing(SCENES)(options, report);
  },
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
  const { umask, setgid } = scene.options;
  process.umask(Number.parseInt(umask, 8));
  // As the deployment tool makes them.
  for (const path of [dirname(scene.file), scene.file]) chownSync(path, 0, GROUP);
  chmodSync(dirname(scene.file), setgid === 'yes' ? 0o2770 : 0o770);
  chmodSync(scene.file, 0o660);
  const before = ownership(scene.file);
  const waits = [];
  const attempts = [];
  for (const both of [pair, pair.toReversed()]) {
    waits.push(await takeOver(scene, both, isRight));
    attempts.push(await finishAfter(scene, both));
  }
  scene.check(ownership(scene.file) === before, `the file was ${before}, is ${ownership(scene.file)}`);
  const { gid, mode } = statSync(`${scene.file}.backup`);
  scene.check(gid === GROUP && (mode & 0o777) === 0o660, `the journal has ${gid} ${mode.toString(8)}`);
  return { 'took over after ms': waits.join(' and '), 'kills until torn': attempts.join(' and ') };
}

function ownership(file) {
  const { ino, uid, gid, mode } = statSync(file);
  return `inode ${ino}, ${uid}:${gid}, ${(mode & 0o777).toString(8)}`;
}

/** One is killed while it holds, the other is in at once, sees what the first has written, and can write. */
async function takeOver(scene, [first, second], isRight) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  const identity = await holder.ask('whoAmI');
  scene.check(isRight(identity, first), `the holder is ${JSON.stringify(identity)}`);
  await holder.ask('hold');
  const waited = waiter.ask('pass');
  await holder.ask('add', { key: 'held', value: 1 });
  scene.check(leftBehind(scene.file) === 'marked', 'the lock directory of the holder is not marked');
  const gone = await holder.kill();
  const wait = (await waited).at - gone;
  scene.check(wait >= 0 && wait < 1000, `the other was in ${wait} ms after the holder was dead`);
  scene.check((await waiter.ask('get')).held === 1, 'the other does not see what was written');
  await waiter.ask('add', { key: 'taken', value: 1 });
  scene.check(scene.content.taken === 1, 'the other could not write');
  const warnings = await waiter.ask('warnings');
  scene.check(warnings.length === 0, `the other warns: ${warnings}`);
  await waiter.kill();
  return rounded(wait);
}

/** One is killed in the middle of a write, the other finishes it. @returns how many kills that took */
async function finishAfter(scene, [first, second]) {
  scene.write(seed(ENTRIES));
  const shortest = statSync(scene.file).size / 2;
  const next = await scene.actor(second);
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const writer = await scene.actor(first);
    const writing = writer.ask('changeForEver').catch(() => undefined);
    whenTorn(scene.file, shortest, 3000, () => writer.signal('SIGKILL'));
    await writer.kill();
    await writing;
    const content = await next.ask('get');
    const found = Object.keys(content).filter((key) => key.startsWith('seed')).length;
    scene.check(found === ENTRIES, `the other found ${found} keys after a kill`);
    if ((await next.ask('warnings')).some((words) => words.includes('was interrupted'))) {
      await next.ask('add', { key: 'finished', value: attempt });
      scene.check(scene.content.finished === attempt, 'the other could not write after that');
      await next.kill();
      return attempt;
    }
  }
  scene.check(false, `no torn file in ${ATTEMPTS} attempts`);
  return ATTEMPTS;
}
