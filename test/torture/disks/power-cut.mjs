import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
// Of these modules, because each call of `disk` is watched.
import { SPLockedJSONDB } from '../../../build/index.js';
import { disk } from '../../../build/store/disk.js';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { isTorn } from '../lib/file.mjs';

const OLD = { a: 1, b: 'the old content' };
const CHANGES = [
  [(db) => db.add('c', 'something more'), { ...OLD, c: 'something more' }],
  [(db) => db.remove('b'), { a: 1 }],
];
class QuietDB extends SPLockedJSONDB {
  warn() {}
}

const run = (command, ...args) => spawnSync(command, args).status === 0;

/** Cuts the power at every system call of some changes: the old content or the new is found, and what is acknowledged. */
export async function cutPower(scene, _at, source) {
  const { dir } = makeWorkspace();
  const images = [];
  for (const [change, after] of CHANGES) {
    // The kernel may just have written all that it had in memory, or only what was flushed.
    for (const isWritten of [false, true]) {
      rmSync(`${scene.file}.backup`, { force: true });
      writeFileSync(scene.file, '{}');
      await new QuietDB(scene.file).jsdump(OLD);
      run('sync', '-f', scene.file);
      await atEachCall(change, scene.file, (isDone) => {
        if (isWritten) run('sync', '-f', scene.file);
        const image = join(dir, `${images.length}`);
        if (!run('cp', '--sparse=always', source.at(-1), image)) throw new Error('an image cannot be copied');
        images.push({ image, allowed: isDone ? [after] : [OLD, after] });
      });
    }
  }
  let torn = 0;
  for (const [nr, { image, allowed }] of images.entries()) {
    scene.progress(`image ${nr + 1} of ${images.length}`);
    if (await recover(scene, join(dir, 'recovered'), image, allowed)) torn++;
  }
  scene.check(torn > 0, 'no image has a torn file, so nothing is proved');
  return { images: images.length, torn };
}

async function atEachCall(change, file, callback) {
  const originals = { ...disk };
  for (const name of ['open', 'close', 'write', 'truncate', 'datasync', 'sync', 'mkdir', 'rmdir']) {
    disk[name] = (...args) => {
      callback(false);
      return originals[name](...args);
    };
  }
  await change(new QuietDB(file));
  Object.assign(disk, originals);
  callback(true);
}

/** @returns whether the file was torn */
async function recover(scene, at, image, allowed) {
  mkdirSync(at, { recursive: true });
  if (!scene.check(run('mount', '-o', 'loop', image, at), 'an image cannot be mounted')) return false;
  try {
    const file = join(at, 'db.json');
    const wasTorn = isTorn(file);
    const found = await new QuietDB(file).get().catch((error) => error);
    const holds = allowed.some((content) => isDeepStrictEqual(content, found));
    scene.check(holds, `${image}: found is ${found.message ?? JSON.stringify(found)}`);
    return wasTorn;
  } finally {
    run('umount', at);
    rmSync(image);
  }
}
