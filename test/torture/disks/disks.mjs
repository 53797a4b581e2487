import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockDirectoryOf } from '../../../build/store/lock/holder-record.js';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { program } from '../lib/program.mjs';
import { Scene } from '../lib/scene.mjs';

const SCENES = { noBirthTimes, fullMemory: fill, fullDisk: fill, readOnly };
const run = (command, ...args) => spawnSync(command, args).status === 0;

program(
  {
    name: 'disks',
    about: `Plays holders on small file systems of their own: one without birth times, in which a lock directory gets the inode
of an earlier one; one that is full; one that becomes read-only under a holder. Needs root, and a kernel that lets it mount.`,
    options: {
      rounds: { default: 20, help: 'how often a holder is killed, or a disk filled' },
      stale: { default: 10_000, help: 'lock.stale' },
      timeout: { default: 15_000, help: 'lock.timeout' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
      only: { default: '', help: `one scene: ${Object.keys(SCENES).join(', ')}` },
    },
  },
  async (options, report) => {
    for (const [name, play] of Object.entries(SCENES)) {
      if (options.only !== '' && options.only !== name) continue;
      report.progress(name);
      const scene = new Scene(name, options, report);
      const mounted = mountFor(name, scene);
      if (mounted === undefined) {
        report.figure(name, 'skipped: it cannot be made or mounted here');
        continue;
      }
      try {
        await play(scene, mounted);
      } catch (error) {
        scene.check(false, error.stack);
      } finally {
        await scene.end({ clean: false });
        run('umount', mounted.at);
      }
    }
    if (report.verdict().checks === 0) report.skip('no file system can be made and mounted here');
  },
);

/** A file system of its own for a scene, whose file then lies in it. */
function mountFor(name, scene) {
  const { dir } = makeWorkspace();
  const [at, image] = [join(dir, 'mounted'), join(dir, 'image')];
  mkdirSync(at);
  const mount = () =>
    name === 'fullMemory'
      ? run('mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', at)
      : run('mount', '-o', 'loop', image, at);
  if (name !== 'fullMemory') {
    writeFileSync(image, '');
    const inodes = name === 'noBirthTimes' ? ['-I', '128'] : [];
    const isMade =
      run('truncate', '-s', '2M', image) &&
      run('mkfs.ext4', '-q', '-F', '-O', '^has_journal', ...inodes, image);
    if (!isMade) return undefined;
  }
  if (!mount()) return undefined;
  scene.file = join(at, 'db.json');
  scene.write({});
  return { at, image, mount };
}

/** A plain user gets the inode of a directory of ours, whose record is still there: it must be respected. */
async function noBirthTimes(scene) {
  const directory = lockDirectoryOf(scene.file);
  const inode = () => statSync(directory).ino;
  const next = await scene.actor();
  const plain = await scene.actor();
  let same = 0;
  for (let round = 0; round < scene.options.rounds; round++) {
    const holder = await scene.actor();
    await holder.ask('hold');
    scene.check(statSync(directory, { bigint: true }).birthtimeNs === 0n, 'this file system has birth times');
    const before = inode();
    await holder.kill();
    // As if the plain user had waited until it was stale.
    utimesSync(directory, 1, 1);
    await plain.ask('plainHold', { stale: scene.options.stale });
    if (inode() === before) same++;
    scene.check(existsSync(`${scene.file}.holder`), 'the record of the dead holder is gone');
    let isIn = false;
    const passing = next.ask('pass').then(() => {
      isIn = true;
    });
    await sleep(200);
    scene.check(!isIn && existsSync(directory), 'the live directory of a plain user was removed');
    await plain.ask('plainRelease');
    await passing;
  }
  scene.check(same > 0, 'no directory ever got the inode of the one before, so nothing is proved');
  scene.figure({ rounds: scene.options.rounds, 'with the same inode': same });
}

/** With less and less room: a change is made or refused as a whole, and the next holder goes on. */
async function fill(scene, { at }) {
  const ballast = join(at, 'ballast');
  const [writer, next] = [await scene.actor(), await scene.actor()];
  const states = { made: 0, refused: 0 };
  for (let round = 0; round < scene.options.rounds; round++) {
    rmSync(ballast, { force: true });
    scene.write({});
    await writer.ask('add', { key: 'first', value: 'x'.repeat(6000) });
    const old = JSON.stringify(scene.content);
    leaveFree(ballast, round % 8);
    const key = `round${round}`;
    const value = 'y'.repeat(7000);
    const error = await writer.ask('add', { key, value }).then(
      () => undefined,
      (reason) => reason,
    );
    states[error ? 'refused' : 'made']++;
    const found = await next.ask('get').catch((reason) => reason);
    if (error) {
      scene.check(error.code === 'ENOSPC', `the error is ${error.code} ${error.message}`);
      const isSaid = /the old content|nothing was changed|is restored at the next access/u.test(
        error.message,
      );
      scene.check(isSaid, `the error does not say what stands: ${error.message}`);
      scene.check(
        JSON.stringify(found) === old,
        `after ${error.message}: ${JSON.stringify(found).slice(0, 80)}`,
      );
    } else {
      scene.check(found[key] === value, 'what was acknowledged is not there');
    }
    rmSync(ballast, { force: true });
    await next.ask('add', { key: 'after', value: round });
    scene.check(scene.content.after === round, 'the next holder could not write once there was room');
    scene.check(!existsSync(`${scene.file}.restored`), 'it was restored from a copy that may be old');
  }
  scene.check(states.refused > 0 && states.made > 0, `nothing is proved by ${JSON.stringify(states)}`);
  scene.figure({ rounds: scene.options.rounds, ...states });
}

/** Fills the file system but for so many blocks of 1 KB. */
function leaveFree(ballast, blocks) {
  const block = Buffer.alloc(1024);
  const parts = [];
  writeFileSync(ballast, '');
  try {
    for (;;) {
      writeFileSync(ballast, block, { flag: 'a' });
      parts.push(block);
    }
  } catch {
    spawnSync('truncate', ['-s', `${Math.max(0, parts.length - blocks * 4)}K`, ballast]);
  }
}

/** Its own change fails with an error that says what stands; whoever comes after that is told, too. */
async function readOnly(scene, { at, image, mount }) {
  const [holder, next] = [await scene.actor(), await scene.actor()];
  await holder.ask('add', { key: 'old', value: 1 });
  await holder.ask('hold');
  await holder.ask('get');
  // As the kernel does by itself after an error of the disk.
  if (!run('mount', '-o', 'remount,abort', at)) {
    scene.figure('skipped: it cannot be made read-only here');
    return;
  }
  const error = await holder.refuse('add', { key: 'new', value: 2 });
  scene.check(
    ['EROFS', 'EIO', 'ECOMPROMISED'].includes(error.code) && error.message.includes(scene.file),
    `the error is ${error.code} ${error.message}`,
  );
  scene.check(
    JSON.stringify(scene.content) === '{"old":1}',
    `the file holds ${JSON.stringify(scene.content)}`,
  );
  await holder.ask('release');
  const refused = await next.refuse('get');
  scene.check(refused.message.includes(scene.file), `the next one got ${refused.code} ${refused.message}`);
  await Promise.all([holder.kill(), next.kill()]);
  run('umount', at);
  run('e2fsck', '-p', image);
  if (!scene.check(mount(), 'it cannot be mounted again')) return;
  const later = await scene.actor();
  await later.ask('add', { key: 'later', value: 3 });
  scene.check(JSON.stringify(scene.content) === '{"old":1,"later":3}', 'the next one could not go on');
  scene.figure({ error: error.code, 'the next one': refused.code });
}
