import { spawnSync } from 'node:child_process';
import { chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile, rounded } from '../../lib/stats.mjs';
import { request } from '../lib/changes.mjs';
import { journalOf, QuietDB } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { hasPython, run, service } from '../lib/services.mjs';

const SCENES = { python, flockProgram, bindMount, tornByPython, deadPlainUser };
const GROUP = 61_100;

program(
  {
    name: 'neighbours',
    about: `Lets other programs use the file: Python services, a script under "flock FILE", a container into which the file is
mounted by itself. Nobody loses a change to anybody, and the file keeps its inode, owner, mode and access control list. What a
Python service tears is an error, and nothing is lost silently.`,
    options: {
      changes: [100, 'how many changes each side makes'],
      rounds: [20, 'how often a Python service is killed'],
      worst: [3000, 'ms that a Python service waits at the worst'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  async (options, report) => {
    if (hasPython()) await playing(SCENES)(options, report);
    else report.skip('there is no python3');
  },
);

function python(scene) {
  return sideBySide(scene, (...command) => command);
}

/** Changes the file as any script does: under `flock FILE`, knowing nothing of us, and slowly. */
const SCRIPT = `
import json, sys, time
path, key = sys.argv[1:]
data = json.load(open(path))
time.sleep(0.01)
data[key] = {"id": key}
open(path, "w").write(json.dumps(data))`;

function flockProgram(scene) {
  const one = 'flock "$0" python3 -c "$1" "$0" other-$n';
  const loop = `for n in $(seq 0 ${scene.options.changes - 1}); do ${one} || exit; done; echo '{"waits":[]}'`;
  return sideBySide(scene, () => ['sh', '-c', loop, scene.file, SCRIPT]);
}

async function bindMount(scene) {
  const at = `${scene.file}.mounted`;
  writeFileSync(at, '');
  const inside = (...command) => [
    'unshare',
    '--mount',
    'sh',
    '-c',
    `mount --bind "$0" "$1" && shift && exec "$@"`,
    scene.file,
    at,
    ...command,
  ];
  if (spawnSync(inside('true')[0], inside('true').slice(1)).status !== 0)
    return { skipped: 'mounting is not allowed here' };
  return sideBySide(scene, (...command) =>
    inside(...command.map((word) => (word === scene.file ? at : word))),
  );
}

/** Both sides make changes at the same time: all are there, and what the deployment tool has set is as it was. */
async function sideBySide(scene, commandOf) {
  const { changes, locker } = scene.options;
  const { file } = scene;
  const isSet = deploy(file);
  const before = properties(file);
  const theirs = run(commandOf(...service('python', locker, file, 'add', changes, 'other', 5)));
  const ours = run(service('node', locker, file, 'add', changes, 'ours', 5));
  for (const said of [await theirs, await ours]) {
    scene.check(said !== undefined && !said.failed, `one of them ended with ${JSON.stringify(said)}`);
  }
  const keys = ['other', 'ours'].flatMap((name) =>
    Array.from({ length: changes }, (_, nr) => `${name}-${nr}`),
  );
  const lost = keys.filter((key) => scene.content[key]?.id !== key);
  scene.check(lost.length === 0, `${lost.length} are lost, such as ${lost.slice(0, 5)}`);
  scene.check(properties(file) === before, `was ${before}, is ${properties(file)}`);
  return {
    changes: keys.length,
    lost: lost.length,
    'owner and access control list': isSet ? 'kept' : 'not tried',
  };
}

/** An access control list that lets user 61003 in, as the kernel keeps it: tag, permissions and ID of each entry. */
const ACL = '0200000001000600ffffffff020006004bee000004000600ffffffff10000600ffffffff20000000ffffffff';

/** @returns whether there are owners and access control lists here */
function deploy(file) {
  if (process.getuid() === 0) chownSync(file, 61_001, GROUP);
  const script =
    'import os,sys; os.setxattr(sys.argv[1], "system.posix_acl_access", bytes.fromhex(sys.argv[2]))';
  return spawnSync('python3', ['-c', script, file, ACL]).status === 0 && process.getuid() === 0;
}

function properties(file) {
  const { ino, uid, gid, mode, nlink } = statSync(file);
  const script =
    'import os,sys; print({n: os.getxattr(sys.argv[1], n).hex() for n in os.listxattr(sys.argv[1])})';
  const { stdout } = spawnSync('python3', ['-c', script, file], { encoding: 'utf8' });
  return `inode ${ino}, ${uid}:${gid}, ${mode.toString(8)}, ${nlink} names, ${stdout.trim()}`;
}

/** Ours is killed just before its mark or not, a Python service changes the file, and is killed in its next write. */
async function tornByPython(scene) {
  const { file } = scene;
  const { rounds, locker } = scene.options;
  const db = new QuietDB(file);
  for (let round = 0; round < rounds; round++) {
    await db.jsdump({ ours: request('ours', round) });
    if (round % 2 === 0) writeFileSync(`${file}.backup`, `${readFileSync(file)}\t`);
    await sleep(60);
    const acknowledged = await run(service('python', locker, file, 'add', 3, 'theirs', 0));
    scene.check(acknowledged?.waits?.length === 3, 'Python could not make its changes');
    const journal = journalOf(file);
    await run(service('python', locker, file, 'die', round % 4 < 2 ? 'empty' : 'half', 'dying'));
    const torn = readFileSync(file, 'utf8');
    for (const call of [() => db.get(), () => db.add('more', request('more', 1))]) {
      const { code, message } = await call().catch((error) => error);
      const isSaid = /line \d+, column \d+/u.test(message) && message.includes('repair');
      scene.check(code === 'ECORRUPT' && isSaid, `round ${round}: ${code} ${message}`);
    }
    scene.check(readFileSync(file, 'utf8') === torn, `round ${round}: the torn file is changed`);
    scene.check(journalOf(file) === journal, `round ${round}: the journal is changed`);
  }
  await db.jsdump({ mended: 1 });
  scene.check(scene.content.mended === 1, 'jsdump() could not mend it');
  return { rounds };
}

/** A lock directory that a dead user of proper-lockfile left behind holds up ours, but no Python service. */
async function deadPlainUser(scene) {
  const { file } = scene;
  mkdirSync(`${file}.lock`);
  const begin = performance.now();
  const waiting = Promise.all([1, 2, 3, 4].map((nr) => new QuietDB(file).add(`${nr}`, request(`${nr}`, nr))));
  const { waits = [] } = await run(service('python', '', file, 'poll', 5));
  const longest = quantile(waits, 1);
  scene.check(waits.length > 0 && longest < scene.options.worst, `a Python service waited ${longest} ms`);
  await waiting;
  return { 'a service waited ms': rounded(longest), 'ours waited ms': rounded(performance.now() - begin) };
}
