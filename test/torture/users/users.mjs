import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readableCopy } from '../../lib/readable-copy.mjs';
import { program } from '../lib/program.mjs';
import { Scene } from '../lib/scene.mjs';
import { holdAndWait, restoreAfter, takeOver } from './pair.mjs';

const GROUP = 61100;
const UNSHARE = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

program(
  {
    name: 'users',
    about: `Lets two users of one group share a file, and two processes in PID namespaces of their own, in which both are
process 1: each holds, waits, takes over from the other when that is killed, and restores what it left torn. Whatever
they make beside the file has the file's group and mode.`,
    options: {
      stale: { default: 10_000, help: 'lock.stale' },
      timeout: { default: 15_000, help: 'lock.timeout' },
      umask: { default: '077', choices: ['077', '022'], help: 'the umask of all of them' },
      setgid: {
        default: 'yes',
        choices: ['yes', 'no'],
        help: 'whether the directory gives its group to what is in it',
      },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
    },
  },
  async (options, report) => {
    if (process.getuid?.() !== 0) {
      report.skip('only root can start processes of other users');
      return;
    }
    const program = join(readableCopy(), 'test/torture/lib/locking-actor.mjs');
    process.umask(Number.parseInt(options.umask, 8));
    const user = (uid) => ({ name: `user ${uid}`, user: { uid, gid: uid, groups: [GROUP] }, program });
    await quarrel('two users', [user(61_001), user(61_002)], options, report);
    const namespaces = spawnSync(UNSHARE[0], [...UNSHARE.slice(1), 'true'], { encoding: 'utf8' });
    if (namespaces.status === 0) {
      const inside = (name) => ({ name, wrapper: UNSHARE });
      const pair = [inside('namespace A'), inside('namespace B')];
      await quarrel('two PID namespaces', pair, options, report);
    } else {
      report.figure(
        'two PID namespaces',
        `skipped: ${namespaces.error?.message ?? namespaces.stderr.trim()}`,
      );
    }
  },
);

async function quarrel(name, pair, options, report) {
  const scene = new Scene(name, options, report);
  try {
    deploy(scene.file, options.setgid === 'yes');
    const before = ownership(scene.file);
    await checkIdentity(scene, pair);
    const waits = [];
    const attempts = [];
    for (const both of [pair, pair.toReversed()]) {
      const [first, second] = both;
      report.progress(`${name}: ${first.name} before ${second.name}`);
      await holdAndWait(scene, both);
      waits.push(await takeOver(scene, both));
      attempts.push(await restoreAfter(scene, both));
    }
    scene.check(ownership(scene.file) === before, `the file was ${before}, is ${ownership(scene.file)}`);
    await checkModes(scene, pair);
    scene.figure({ 'took over after ms': waits.join(' and '), 'kills until torn': attempts.join(' and ') });
  } catch (error) {
    scene.check(false, error.stack);
  } finally {
    await scene.end();
  }
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

/** One holds the lock after it has restored what a service left torn: all is there that is ever put beside the file. */
async function checkModes(scene, [first, second]) {
  writeFileSync(scene.file, '{"torn": 1, ');
  const holder = await scene.actor(first);
  await holder.ask('hold');
  await holder.ask('get');
  const [, ...beside] = readdirSync(dirname(scene.file)).map((name) => join(dirname(scene.file), name));
  for (const end of ['.backup', '.holder', '.lock', '.restored', '.torn.1']) {
    scene.check(beside.includes(scene.file + end), `there is no ${end}`);
  }
  for (const path of beside.filter((path) => !path.endsWith('.lock'))) {
    const { mode, gid } = statSync(path);
    const found = `${gid} ${(mode & 0o777).toString(8)}`;
    scene.check(found === `${GROUP} 660`, `${path} has the group and mode ${found}`);
  }
  await holder.kill();
  const next = await scene.actor(second);
  await next.ask('add', { key: 'next', value: 1 });
  scene.check(scene.content.next === 1, `${second.name} could not go on after the restore`);
  await next.kill();
}

/** Otherwise all of this would prove nothing. */
async function checkIdentity(scene, pair) {
  for (const side of pair) {
    const actor = await scene.actor(side);
    const { uid, pid } = await actor.ask('whoAmI');
    if (side.user) scene.check(uid === side.user.uid, `${side.name} runs as ${uid}`);
    else scene.check(pid === 1, `${side.name} is process ${pid} of its namespace`);
    await actor.kill();
  }
}
