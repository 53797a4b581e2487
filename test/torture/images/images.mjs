import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { disk } from '../../../build/store/disk.js';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { isTorn, QuietDB } from '../lib/file.mjs';
import { program } from '../lib/program.mjs';

const MAKE = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  xfs: ['mkfs.xfs', '-q', '-f'],
};
const OLD = { a: 1, b: 'the old content' };
const CHANGES = [
  [(db) => db.add('c', 'something more'), { ...OLD, c: 'something more' }],
  [(db) => db.remove('b'), { a: 1 }],
];
const run = (command, ...args) => spawnSync(command, args).status === 0;

program(
  {
    name: 'images',
    about: `Makes file systems in files, keeps an image of them at every system call of a change, mounts each image as after a
power cut, and looks whether the old or the new content is found. Needs root, and a kernel that lets it mount.`,
    options: {
      size: [320, 'MB of a file system'],
      only: ['', 'one kind of file system', ['', ...Object.keys(MAKE)]],
    },
  },
  async ({ size, only }, report) => {
    // Every image is from before this system was started.
    os.uptime = () => 0;
    syncBuiltinESMExports();
    for (const [kind, make] of Object.entries(MAKE).filter(([name]) => [name, ''].includes(only))) {
      const { dir } = makeWorkspace();
      const image = join(dir, 'image');
      writeFileSync(image, '');
      run('truncate', '-s', `${size}M`, image);
      if (!run(...make, image) || !mount(image, join(dir, 'mounted'))) {
        report.skip('no file system can be made and mounted here');
        report.figure(kind, 'skipped');
        continue;
      }
      const images = [];
      for (const [change, after] of CHANGES) {
        for (const isWritten of [false, true])
          images.push(...(await imagesOf(dir, change, after, isWritten)));
      }
      run('umount', join(dir, 'mounted'));
      let torn = 0;
      for (const [nr, { copy, allowed }] of images.entries()) {
        report.progress(`${kind}: image ${nr + 1} of ${images.length}`);
        const check = (holds, violation) => report.check(holds, `${kind}, image ${nr}: ${violation}`);
        if (await recover(dir, copy, allowed, check)) torn++;
      }
      report.check(torn > 0, `${kind}: no image has a torn file, so nothing is proved`);
      report.figure(kind, { images: images.length, torn });
    }
  },
);

function mount(image, at) {
  mkdirSync(at, { recursive: true });
  return run('mount', '-o', 'loop,nouuid', image, at) || run('mount', '-o', 'loop', image, at);
}

/**
 * Makes the change; before every call, and after the last, what is on the disk is kept.
 *
 * @param isWritten - whether the kernel has just written all that it had in memory, or only what was flushed
 */
async function imagesOf(dir, change, after, isWritten) {
  const file = join(dir, 'mounted', 'db.json');
  rmSync(`${file}.backup`, { force: true });
  await new QuietDB(writeNew(file)).jsdump(OLD);
  run('sync', '-f', file);
  const images = [];
  const keep = (allowed) => {
    if (isWritten) run('sync', '-f', file);
    const copy = join(dir, `copy-${Math.random()}`);
    if (!run('cp', '--sparse=always', join(dir, 'image'), copy)) throw new Error('an image cannot be copied');
    images.push({ copy, allowed });
  };
  const originals = { ...disk };
  for (const name of ['open', 'close', 'write', 'truncate', 'datasync', 'sync', 'mkdir', 'rmdir']) {
    disk[name] = (...args) => {
      keep([OLD, after]);
      return originals[name](...args);
    };
  }
  await change(new QuietDB(file));
  Object.assign(disk, originals);
  keep([after]);
  return images;
}

function writeNew(file) {
  writeFileSync(file, '{}');
  return file;
}

/** @returns whether the file was torn */
async function recover(dir, copy, allowed, check) {
  const at = join(dir, 'recovered');
  if (!check(mount(copy, at), 'it cannot be mounted')) return false;
  try {
    const file = join(at, 'db.json');
    const raw = JSON.stringify(readFileSync(file, 'utf8'));
    const wasTorn = isTorn(file);
    const found = await new QuietDB(file).get().catch((error) => error);
    const holds = allowed.some((content) => isDeepStrictEqual(content, found));
    check(holds, `${raw} gives ${found.message ?? JSON.stringify(found)}`);
    return wasTorn;
  } finally {
    run('umount', at);
    rmSync(copy);
  }
}
