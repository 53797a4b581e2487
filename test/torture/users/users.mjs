import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { backupPath } from '../../../dist/store/file/backup.js';
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
process 1: each holds, waits, takes over from the other when that is killed, and restores what it left torn.`,
    options: {
      stale: { default: 10_000, help: 'lock.stale' },
      timeout: { default: 15_000, help: 'lock.timeout' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
    },
  },
  async (options, report) => {
    if (process.getuid?.() !== 0) {
      report.skip('only root can start processes of other users');
      return;
    }
    const program = join(readableCopy(), 'test/torture/lib/locking-actor.mjs');
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
    deploy(scene.file);
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
    const copy = statSync(backupPath(scene.file));
    scene.check((copy.mode & 0o777) === 0o660 && copy.gid === GROUP, 'the copy is not for the same group');
    scene.figure({ 'took over after ms': waits.join(' and '), 'kills until torn': attempts.join(' and ') });
  } catch (error) {
    scene.check(false, error.stack);
  } finally {
    await scene.end();
  }
}

/** As the deployment tool makes them. */
function deploy(file) {
  chownSync(dirname(file), 0, GROUP);
  chmodSync(dirname(file), 0o770);
  chownSync(file, 0, GROUP);
  chmodSync(file, 0o660);
}

function ownership(file) {
  const { ino, uid, gid, mode } = statSync(file);
  return `inode ${ino}, ${uid}:${gid}, ${(mode & 0o777).toString(8)}`;
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
