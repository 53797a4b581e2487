import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SPLockedJSONDB } from '../../../build/index.js';
import { disk, OpenFile } from '../../../build/store/file/disk.js';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { program } from '../lib/program.mjs';

const MAKE = {
  ext4: ['mkfs.ext4', '-q', '-F'],
  'ext4 without birth times': ['mkfs.ext4', '-q', '-F', '-I', '128'],
  xfs: ['mkfs.xfs', '-q', '-f'],
};
const OLD = { a: 1, b: 'the old content' };
const CHANGES = {
  longer: [(db) => db.add('c', 'something more'), { ...OLD, c: 'something more' }],
  shorter: [(db) => db.remove('b'), { a: 1 }],
};

const run = (command, ...args) => spawnSync(command, args).status === 0;

class QuietDB extends SPLockedJSONDB {
  warn() {}
}

program(
  {
    name: 'images',
    about: `Makes file systems in files, keeps an image of them at every system call of a change, mounts each image as after a
power cut, and looks whether the old or the new content is found. Needs root, and a kernel that lets it mount.`,
    options: {
      size: { default: 320, help: 'MB of a file system' },
      only: { default: '', help: `one kind: ${Object.keys(MAKE).join(', ')}` },
    },
  },
  async (options, report) => {
    const { dir } = makeWorkspace();
    for (const [kind, make] of Object.entries(MAKE).filter(([name]) => [name, ''].includes(options.only))) {
      const image = join(dir, 'image');
      writeFileSync(image, '');
      run('truncate', '-s', `${options.size}M`, image);
      if (!run(...make, image) || !mount(image, join(dir, 'mounted'))) {
        report.figure(kind, 'skipped: it cannot be made or mounted here');
        continue;
      }
      const images = [];
      try {
        for (const change of Object.values(CHANGES)) {
          for (const written of [false, true]) images.push(...(await imagesOf(dir, image, change, written)));
        }
      } finally {
        run('umount', join(dir, 'mounted'));
      }
      let torn = 0;
      for (const [nr, { copy, allowed }] of images.entries()) {
        report.progress(`${kind}: image ${nr + 1} of ${images.length}`);
        torn += await recover(dir, copy, allowed, (holds, what) =>
          report.check(holds, `${kind}, image ${nr}: ${what}`),
        );
      }
      report.check(torn > 0, `${kind}: no image has a torn file, so nothing is proved`);
      report.figure(kind, { images: images.length, torn });
      rmSync(image);
    }
    if (report.verdict().checks === 0) report.skip('no file system can be made and mounted here');
  },
);

function mount(image, at) {
  mkdirSync(at, { recursive: true });
  return run('mount', '-o', 'loop,nouuid', image, at) || run('mount', '-o', 'loop', image, at);
}

/**
 * Makes the change; before every call, and after the last, what is on the disk is kept.
 *
 * @param written - whether the kernel has just written all that it had in memory, or only what was flushed
 */
async function imagesOf(dir, image, [change, after], written) {
  const file = join(dir, 'mounted', 'db.json');
  writeFileSync(file, JSON.stringify(OLD));
  run('sync', '-f', file);
  await new QuietDB(file).get();
  const images = [];
  const keep = (allowed) => {
    if (written) run('sync', '-f', file);
    const copy = join(dir, `copy-${images.length}-${Object.keys(after).length}-${written}`);
    if (!run('cp', '--sparse=always', image, copy)) copyFileSync(image, copy);
    images.push({ copy, allowed });
  };
  const mend = beforeEachCall(() => keep([OLD, after]));
  await change(new QuietDB(file));
  mend();
  keep([after]);
  return images;
}

function beforeEachCall(callback) {
  const mends = [disk, OpenFile.prototype].map((object) => {
    const originals = Object.fromEntries(
      Object.getOwnPropertyNames(object)
        .filter((name) => ['open', 'unlink', 'truncate', 'write', 'datasync', 'sync', 'close'].includes(name))
        .map((name) => [name, object[name]]),
    );
    for (const [name, original] of Object.entries(originals)) {
      object[name] = function (...args) {
        callback();
        return original.apply(this, args);
      };
    }
    return () => Object.assign(object, originals);
  });
  return () => {
    for (const mend of mends) mend();
  };
}

/** @returns 1 if the file was torn, else 0 */
async function recover(dir, copy, allowed, check) {
  const at = join(dir, 'recovered');
  if (!check(mount(copy, at), 'it cannot be mounted')) return 0;
  try {
    const raw = readFileSync(join(at, 'db.json'), 'utf8');
    const found = await new QuietDB(join(at, 'db.json')).get().catch((error) => error);
    const isAllowed = allowed.some((content) => JSON.stringify(content) === JSON.stringify(found));
    check(
      isAllowed,
      `${JSON.stringify(raw)} gives ${found instanceof Error ? found.message : JSON.stringify(found)}`,
    );
    return allowed.some((content) => JSON.stringify(content) === raw) ? 0 : 1;
  } finally {
    run('umount', at);
    rmSync(copy);
  }
}
