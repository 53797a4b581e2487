import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from '../lib/changes.mjs';
import { journalOf, QuietDB } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { hasPython, run, service } from '../lib/services.mjs';

const SCENES = { flockProgram, bindMount, tornByPython };

program(
  {
    name: 'neighbours',
    about: `Lets other programs use the file: a script under "flock FILE", a container into which the file is
mounted by itself, with a Python service. Nobody loses a change to anybody, and the file keeps its inode, owner, mode and access control list. What a
Python service tears is an error, and nothing is lost silently.`,
    options: {
      changes: [100, 'how many changes each side makes'],
      rounds: [20, 'how often a Python service is killed'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES, hasPython(), 'there is no python3'),
);

/** Changes the file as any script does, knowing nothing of us, and slowly. */
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
  const mounting = ['unshare', '--mount', 'sh', '-c', `mount --bind "$0" "$1" && shift && exec "$@"`];
  const inside = (command) => [...mounting, scene.file, at, ...command];
  const [unshare, ...args] = inside(['true']);
  if (spawnSync(unshare, args).status !== 0) return { skipped: 'mounting is not allowed here' };
  return sideBySide(scene, (command) => inside(command.map((word) => (word === scene.file ? at : word))));
}

/** Both sides make changes at the same time: all are there, and what the deployment tool has set is as it was. */
async function sideBySide(scene, commandOf) {
  const { changes, locker } = scene.options;
  const { file } = scene;
  const isSet = spawnSync('python3', ['-c', DEPLOY, file]).status === 0;
  const properties = () => spawnSync('python3', ['-c', PROPERTIES, file], { encoding: 'utf8' }).stdout.trim();
  const before = properties();
  const theirs = run(commandOf(service('python', locker, file, 'add', changes, 'other', 5)));
  const ours = run(service('node', locker, file, 'add', changes, 'ours', 5));
  for (const said of [await theirs, await ours]) {
    scene.check(said?.failed === undefined, `one of them ended with ${JSON.stringify(said)}`);
  }
  const keys = ['other', 'ours'].flatMap((name) =>
    Array.from({ length: changes }, (_, nr) => `${name}-${nr}`),
  );
  const lost = keys.filter((key) => scene.content[key]?.id !== key);
  scene.check(lost.length === 0, `${lost.length} are lost, such as ${lost.slice(0, 5)}`);
  scene.check(properties() === before && before !== '', `was ${before}, is ${properties()}`);
  return { changes: keys.length, lost: lost.length, 'owner and list': isSet ? 'kept' : 'not tried' };
}

/** Gives the file to a user and a group, and an access control list (as the kernel keeps it) that lets another user in. */
const DEPLOY = `
import os, sys
os.chown(sys.argv[1], 61001, 61100)
entries = "01000600ffffffff 020006004bee0000 04000600ffffffff 10000600ffffffff 20000000ffffffff"
os.setxattr(sys.argv[1], "system.posix_acl_access", bytes.fromhex("02000000" + entries))`;

const PROPERTIES = `
import os, sys
path = sys.argv[1]
stat = os.stat(path)
lists = {name: os.getxattr(path, name).hex() for name in os.listxattr(path)}
print("inode", stat.st_ino, "owner", stat.st_uid, stat.st_gid, "mode", oct(stat.st_mode), stat.st_nlink, lists)`;

/** Ours is killed just before its mark, or not; a Python service changes the file, and is killed in its next write. */
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
