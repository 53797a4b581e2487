import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';

const EXT4 = ['mkfs.ext4', '-q', '-F', '-O', '^has_journal'];
const SCENES = {
  fullMemory: (scene) => mounted(scene, ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs'], fill),
  fullDisk: (scene) => mounted(scene, imageOf(EXT4), fill),
  readOnly: (scene) => mounted(scene, imageOf(EXT4), becomeReadOnly),
};
const run = (command, ...args) => spawnSync(command, args).status === 0;

program(
  {
    name: 'disks',
    about: `Puts the file on small file systems of their own: full ones, and one that becomes read-only under a holder. What an
error says of the content is true, and the next process goes on. Needs root, and a kernel that lets it mount.`,
    options: { rounds: [40, 'how often a disk is filled'], only: only(SCENES), locker: LOCKER },
  },
  playing(SCENES),
);

/** @returns what to mount: a new file system in a file */
function imageOf([command, ...args]) {
  const image = join(makeWorkspace().dir, 'image');
  writeFileSync(image, '');
  const isMade = run('truncate', '-s', '2M', image) && run(command, ...args, image);
  return isMade ? ['-o', 'loop', image] : undefined;
}

/** Plays a scene whose file lies on a file system of its own. */
async function mounted(scene, source, play) {
  const at = join(makeWorkspace().dir, 'mounted');
  mkdirSync(at);
  if (source === undefined || !run('mount', ...source, at))
    return { skipped: 'it cannot be made or mounted here' };
  try {
    scene.file = join(at, 'db.json');
    scene.write({});
    return await play(scene, at, source);
  } finally {
    await scene.end();
    run('umount', at);
  }
}

/** With less and less room: a change is made or refused as a whole, and the next holder goes on. */
async function fill(scene, at) {
  const ballast = join(at, 'ballast');
  const [writer, next] = [await scene.actor(), await scene.actor()];
  const states = { made: 0, refused: 0 };
  for (let round = 0; round < scene.options.rounds; round++) {
    rmSync(ballast, { force: true });
    scene.write({});
    await writer.ask('add', { key: 'first', value: 'x'.repeat(6000) });
    const old = JSON.stringify(scene.content);
    leaveFree(ballast, round % 8);
    const [key, value] = [`round${round}`, 'y'.repeat(7000)];
    const error = await writer.ask('add', { key, value }).then(
      () => undefined,
      (reason) => reason,
    );
    states[error ? 'refused' : 'made']++;
    const found = await next.ask('get').catch((reason) => reason);
    const shown = JSON.stringify(found).slice(0, 80);
    if (error) {
      const isOld = /still has the old content|nothing was changed/u.test(error.message);
      const isLeft = error.message.includes('the next call finishes the write');
      scene.check(
        error.code === 'ENOSPC' && (isOld || isLeft),
        `the error is ${error.code} ${error.message}`,
      );
      const holds = isOld ? JSON.stringify(found) === old : found[key] === value || found.code === 'ENOSPC';
      scene.check(holds, `after ${error.message}: ${shown}`);
    } else {
      scene.check(found[key] === value, `what was acknowledged is not there: ${shown}`);
    }
    rmSync(ballast, { force: true });
    await next.ask('add', { key: 'after', value: round });
    scene.check(scene.content.after === round, 'the next holder could not write once there was room');
  }
  scene.check(states.refused > 0 && states.made > 0, `nothing is proved by ${JSON.stringify(states)}`);
  return { rounds: scene.options.rounds, ...states };
}

/** Fills the file system but for so many blocks of 4 KB. */
function leaveFree(ballast, blocks) {
  let size = 0;
  try {
    for (; ; size++) writeFileSync(ballast, Buffer.alloc(1024), { flag: 'a' });
  } catch {
    // Now it is full.
    run('truncate', '-s', `${Math.max(0, size - blocks * 4)}K`, ballast);
  }
}

/** Its own change fails with an error that says what stands; whoever comes after that is told, too. */
async function becomeReadOnly(scene, at, source) {
  const [holder, next] = [await scene.actor(), await scene.actor()];
  await holder.ask('add', { key: 'old', value: 1 });
  await holder.ask('hold');
  // As the kernel does by itself after an error of the disk.
  if (!run('mount', '-o', 'remount,abort', at)) return { skipped: 'it cannot be made read-only here' };
  const error = await holder.refuse('add', { key: 'new', value: 2 });
  const isTyped = ['EROFS', 'EIO', 'ECOMPROMISED'].includes(error.code) && error.message.includes(scene.file);
  scene.check(isTyped, `the error is ${error.code} ${error.message}`);
  const found = JSON.stringify(scene.content);
  scene.check(found === '{"old":1}', `the file holds ${found}`);
  await holder.ask('release');
  const refused = await next.refuse('get');
  scene.check(refused.message.includes(scene.file), `the next one got ${refused.code} ${refused.message}`);
  await Promise.all([holder.kill(), next.kill()]);
  run('umount', at);
  run('e2fsck', '-p', source.at(-1));
  scene.check(run('mount', ...source, at), 'it cannot be mounted again');
  await (await scene.actor()).ask('add', { key: 'later', value: 3 });
  const later = JSON.stringify(scene.content);
  scene.check(later === '{"old":1,"later":3}', `the next one went on with ${later}`);
  return { error: error.code, message: error.message, 'the next one': refused.code };
}
