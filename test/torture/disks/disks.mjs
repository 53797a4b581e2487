import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { cutPower } from './power-cut.mjs';

const SMALL = ['mkfs.ext4', '-q', '-F', '-O', '^has_journal'];
const SCENES = {
  fullMemory: (scene) => mounted(scene, ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs'], fill),
  fullDisk: (scene) => mounted(scene, imageOf(2, SMALL), fill),
  readOnly: (scene) => mounted(scene, imageOf(2, SMALL), becomeReadOnly),
  powerCut: (scene) => mounted(scene, imageOf(scene.options.size, ['mkfs.ext4', '-q', '-F']), cutPower),
};
const run = (command, ...args) => spawnSync(command, args).status === 0;

program(
  {
    name: 'disks',
    about: `Puts the file on file systems of their own: full ones, one that becomes read-only under a holder, and images of one at
every system call of a change, each mounted as after a power cut. What an error says of the content is true, what is
acknowledged is there, and the next process goes on. Needs root, and a kernel that lets it mount.`,
    options: {
      rounds: [40, 'how often a disk is filled'],
      size: [320, 'MB of a file system whose power is cut'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES),
);

/** @returns how to mount a new file system in a file of so many MB */
function imageOf(size, [command, ...args]) {
  const image = join(makeWorkspace().dir, 'image');
  writeFileSync(image, '');
  const isMade = run('truncate', '-s', `${size}M`, image) && run(command, ...args, image);
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
    scene.write({});
    await writer.ask('add', { key: 'first', value: 'x'.repeat(6000) });
    const old = scene.content;
    leaveFree(ballast, round % 8);
    const added = { key: `round${round}`, value: 'y'.repeat(7000) };
    const message = await writer.ask('add', added).then(
      () => 'made',
      (error) => `${error.code} ${error.message}`,
    );
    states[message === 'made' ? 'made' : 'refused']++;
    const isOld = /^ENOSPC .*(still has the old content|nothing was changed)/u.test(message);
    scene.check(isOld || message === 'made', `the error is ${message}`);
    const found = JSON.stringify(await next.ask('get'));
    const wanted = JSON.stringify(isOld ? old : { ...old, [added.key]: added.value });
    scene.check(found === wanted, `${message}, and then it is ${found.slice(0, 80)}`);
    rmSync(ballast);
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
  await holder.ask('ourHold');
  // As the kernel does by itself after an error of the disk.
  if (!run('mount', '-o', 'remount,abort', at)) return { skipped: 'it cannot be made read-only here' };
  const { code, message } = await holder.refuse('add', { key: 'new', value: 2 });
  scene.check(code === 'EROFS' && message.endsWith('it still has the old content'), `${code} ${message}`);
  const found = JSON.stringify(scene.content);
  scene.check(found === '{"old":1}', `the file holds ${found}`);
  await holder.ask('ourRelease');
  const refused = await next.refuse('get');
  scene.check(refused.message.includes(scene.file), `the next one got ${refused.code} ${refused.message}`);
  await Promise.all([holder.kill(), next.kill()]);
  run('umount', at);
  // Of a copy, because the mount of the image may live on in a namespace that somebody has made meanwhile.
  const copy = `${source.at(-1)}.copy`;
  run('cp', source.at(-1), copy);
  run('e2fsck', '-f', '-y', copy);
  scene.check(run('mount', '-o', 'loop', copy, at), 'it cannot be mounted again');
  await (await scene.actor()).ask('add', { key: 'later', value: 3 });
  const later = JSON.stringify(scene.content);
  scene.check(later === '{"old":1,"later":3}', `the next one went on with ${later}`);
  return { error: message, 'the next one': refused.code };
}
