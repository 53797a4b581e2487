import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readableCopy } from '../../lib/readable-copy.mjs';
import { now, rounded } from '../../lib/stats.mjs';
import { seed } from '../lib/changes.mjs';
import { leftBehind, whenTorn } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing, SLACK } from '../lib/scene.mjs';

const GROUP = 61_100;
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];
const SCENES = { twoUsers, twoNamespaces };
/** Milliseconds. */
const AT_ONCE = 1000;
const ENTRIES = 5000;
/** How often a writer is killed until it leaves a torn file. */
const ATTEMPTS = 20;

program(
  {
    name: 'users',
    about: `Lets two users of one group share a file, and two processes in PID namespaces of their own, in which both are
process 1: each holds, waits, takes over from the other when that is killed, and finishes the write in which it died. What they
make beside the file has the file's group and mode.`,
    options: {
      umask: ['077', 'the umask of all of them', ['077', '022']],
      setgid: ['yes', 'whether the directory gives its group to what is in it', ['yes', 'no']],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  async (options, report) => {
    if (process.getuid?.() === 0) await playing(SCENES)(options, report);
    else report.skip('only root can start processes of other users');
  },
);

function twoUsers(scene) {
  const program = join(readableCopy(), 'test/torture/lib/locking-actor.mjs');
  const user = (uid) => ({ name: `user ${uid}`, user: { uid, gid: uid, groups: [GROUP] }, program });
  return quarrel(scene, [user(61_001), user(61_002)], ({ uid }, side) => uid === side.user.uid);
}

async function twoNamespaces(scene) {
  const { status, error, stderr } = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true'], {
    encoding: 'utf8',
  });
  if (status !== 0) return { skipped: error?.message ?? stderr.trim() };
  const inside = (name) => ({ name, wrapper: UNSHARE });
  return quarrel(scene, [inside('namespace A'), inside('namespace B')], ({ pid }) => pid === 1);
}

async function quarrel(scene, pair, isRight) {
  const { umask, setgid } = scene.options;
  process.umask(Number.parseInt(umask, 8));
  deploy(scene.file, setgid === 'yes');
  const before = ownership(scene.file);
  for (const side of pair) {
    const actor = await scene.actor(side);
    const identity = await actor.ask('whoAmI');
    scene.check(isRight(identity, side), `${side.name} is ${JSON.stringify(identity)}`);
    await actor.kill();
  }
  const waits = [];
  const attempts = [];
  for (const both of [pair, pair.toReversed()]) {
    scene.progress(`${both[0].name} before ${both[1].name}`);
    await holdAndWait(scene, both);
    waits.push(await takeOver(scene, both));
    attempts.push(await finishAfter(scene, both));
  }
  scene.check(ownership(scene.file) === before, `the file was ${before}, is ${ownership(scene.file)}`);
  const { gid, mode } = statSync(`${scene.file}.backup`);
  scene.check(gid === GROUP && (mode & 0o777) === 0o660, `the journal has ${gid} ${mode.toString(8)}`);
  return { 'took over after ms': waits.join(' and '), 'kills until torn': attempts.join(' and ') };
}

/** As the deployment tool makes them. */
function deploy(file, setgid) {
  chownSync(dirname(file), 0, GROUP);
  chmodSync(dirname(file), setgid ? 0o2770 : 0o770);
  chownSync(file, 0, GROUP);
  chmodSync(file, 0o660);
}

function ownership(file) {
  const { ino, uid, gid, mode } = statSync(file);
  return `inode ${ino}, ${uid}:${gid}, ${(mode & 0o777).toString(8)}`;
}

/** One holds, the other waits and sees what the first has written. */
async function holdAndWait(scene, [first, second]) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  await holder.ask('hold');
  const waited = waiter.ask('pass');
  await holder.ask('add', { key: 'held', value: first.name });
  const released = now();
  await holder.ask('release');
  const wait = (await waited).at - released;
  scene.check(wait >= 0 && wait < SLACK, `${second.name} was let in ${wait} ms after ${first.name} released`);
  scene.check((await waiter.ask('get')).held === first.name, `${second.name} does not see what was written`);
  const warnings = await waiter.ask('warnings');
  scene.check(warnings.length === 0, `${second.name} warns: ${warnings}`);
  await Promise.all([holder.kill(), waiter.kill()]);
}

/** One is killed while it holds, the other is in at once and can do all that a holder does. */
async function takeOver(scene, [first, second]) {
  const [holder, waiter] = [await scene.actor(first), await scene.actor(second)];
  await holder.ask('hold');
  const waited = waiter.ask('pass');
  const left = leftBehind(scene.file);
  scene.check(left === 'marked', `${first.name} holds, and the lock directory is ${left}`);
  const gone = await holder.kill();
  const wait = (await waited).at - gone;
  scene.check(wait < AT_ONCE, `${second.name} waited ${wait} ms for ${first.name}, who is dead`);
  await waiter.ask('add', { key: 'taken', value: second.name });
  scene.check(scene.content.taken === second.name, `${second.name} could not write`);
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
    scene.check(found === ENTRIES, `${second.name} found ${found} keys after ${first.name} was killed`);
    if ((await next.ask('warnings')).some((words) => words.includes('was interrupted'))) {
      await next.ask('add', { key: 'finished', value: second.name });
      scene.check(scene.content.finished === second.name, `${second.name} could not write after that`);
      await next.kill();
      return attempt;
    }
  }
  scene.check(false, `${first.name} never left a torn file in ${ATTEMPTS} attempts`);
  return ATTEMPTS;
}
