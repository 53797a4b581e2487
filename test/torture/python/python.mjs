import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { AttachDB, SPLockedJSONDB } from '../../../build/index.js';
import { Actor } from '../../lib/actor.mjs';
import { closed, start } from '../../lib/children.mjs';
import { rounded } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { program } from '../lib/program.mjs';

const SERVICE = fileURLToPath(new URL('./service.py', import.meta.url));
const LOCKING_ACTOR = fileURLToPath(new URL('../lib/locking-actor.mjs', import.meta.url));
class QuietDB extends SPLockedJSONDB {
  warnings = [];

  warn(message) {
    this.warnings.push(message);
  }
}

const SCENES = [
  staleCopy,
  interruptedService,
  careAfterOldCopy,
  notTorn,
  directoryAlone,
  deadPlainUser,
  busyProcess,
  busyProcesses,
  busyServices,
  strangeFiles,
];

program(
  {
    name: 'python',
    about: `Lets Python services, which know only flock(2) on the file, work beside this library and die while they write:
nothing that was acknowledged is lost where a read of ours came between, everybody is careful where none did, and
nobody waits too long.`,
    options: {
      changes: { default: 500, help: 'how many changes a service makes' },
      rounds: { default: 20, help: 'how often a service is killed' },
      seconds: { default: 10, help: 'how long a process is busy' },
      others: { default: 3, help: 'how many processes of each kind are busy at the same time' },
      crowd: { default: 8000, help: 'ms that anybody waits at the worst beside them' },
      worst: { default: 3000, help: 'ms that a service waits at the worst' },
      only: { default: '', help: `one scene: ${SCENES.map(({ name }) => name).join(', ')}` },
    },
  },
  async (options, report) => {
    if (spawnSync('python3', ['--version']).status !== 0) {
      report.skip('there is no python3');
      return;
    }
    for (const play of SCENES.filter(({ name }) => options.only === '' || name === options.only)) {
      report.progress(play.name);
      const check = (holds, violation) => report.check(holds, `${play.name}: ${violation}`);
      report.figure(play.name, await play(makeWorkspace().cache(), options, check));
    }
  },
);

/** Runs the Python service. @returns what it says, or nothing if it was killed */
async function service(file, ...args) {
  const child = start('python3', [SERVICE, file, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await closed(child);
  return output === '' ? undefined : JSON.parse(output);
}

/** A Node.js write, many Python changes with a Node.js read after them, a Python service killed while it writes. */
async function staleCopy(file, { changes, rounds }, check) {
  let lost = 0;
  const db = new QuietDB(file);
  await db.add('node', { volume: 'os--n', rights: 1 });
  let acknowledged = 1;
  for (let round = 0; round < rounds; round++) {
    const { done } = await service(file, 'add', Math.ceil(changes / rounds), `round${round}-`);
    acknowledged += done;
    await db.get();
    await service(file, 'die', round % 2 ? 'half' : 'empty', 'dying');
    const found = Object.keys(await db.get()).filter((key) => key !== 'dying').length;
    lost += acknowledged - found;
  }
  check(lost === 0, `${lost} of ${acknowledged} acknowledged changes are lost`);
  return { acknowledged, lost };
}

/** No read came between: the changes may be lost, but it says so, and what the torn file still has counts. */
async function interruptedService(file, { changes }, check) {
  const db = new QuietDB(file);
  await db.add('node', { volume: 'os--n', rights: 1 });
  await service(file, 'add', changes, 'python');
  await service(file, 'die', 'half', 'dying');
  const content = await db.get();
  const kept = Object.keys(content).length;
  check(kept > changes / 3, `only ${kept} of ${changes} entries of the torn file are kept`);
  check('node' in content, 'what was in the copy is lost');
  check(existsSync(`${file}.restored`), 'nothing says that the file may be old');
  check(existsSync(`${file}.torn.1`), 'what was torn is not kept');
  await db.get();
  check(db.warnings.length === 3, `warned ${db.warnings.length} times in place of 3`);
  return { entries: changes + 1, kept };
}

/** Nothing is attached in the name of others, and nothing detached by force, until an operator has looked. */
async function careAfterOldCopy(file, _options, check) {
  const sent = [];
  const attachments = [{ volume: 'os--mine', snapshot: false, client: 1, rights: 'rw' }];
  const api = {
    attachmentsList: async () => attachments,
    volumesList: async () => [],
    snapshotsList: async () => [],
    volumeList: async (name) => [{ name }],
    volumesReassign: async ([entry]) => {
      sent.push(entry);
    },
  };
  const db = new AttachDB({
    log: { warn: () => {} },
    fname: file,
    overrideConfig: { SP_OURID: '1', SP_AUTH_TOKEN: '1' },
    api,
    deviceTimeout: 0,
    detachRetries: 1,
    detachRetryDelay: 1,
  });
  await db.add('own', { volume: 'os--own', rights: 2 });
  await db.add('given-up', { volume: 'os--given-up', rights: 2 });
  const gaveUp = JSON.parse(readFileSync(file, 'utf8'));
  delete gaveUp['given-up'];
  writeFileSync(file, JSON.stringify(gaveUp));
  await service(file, 'die', 'empty', 'dying');
  // Restores the file itself, and must know that before it plans.
  await db.sync('own');
  const volumes = sent.map(({ volume }) => volume);
  check(!volumes.includes('os--given-up'), 'a volume that had been given up is attached');
  check(volumes.includes('os--own'), 'the own request is not attached');
  return { attached: volumes.join(' ') };
}

/** What is no torn file stays as it is, beside a copy that could be restored. */
async function notTorn(file, _options, check) {
  const db = new QuietDB(file);
  await db.add('a', { volume: 'os--a', rights: 1 });
  const contents = ['{"a": NaN}', '{"a": 1,}', Buffer.from('\ufeff{"a":1}', 'utf16le'), 'x', '{"a":1}}'];
  for (const content of contents) {
    writeFileSync(file, content);
    const error = await db.get().catch((reason) => reason);
    check(error.code === 'ECORRUPT' && /line \d+, column \d+/u.test(error.message), `${content}: ${error}`);
    check(readFileSync(file).equals(Buffer.from(content)), `${content} did not stay as it was`);
  }
  return { contents: contents.length };
}

/** Without the kernel lock each write under way looks torn, and is left alone. */
async function directoryAlone(file, { changes }, check) {
  const db = new QuietDB(file, { kernelLock: 'off' });
  await db.add('node', { volume: 'os--n', rights: 1 });
  let errors = 0;
  let reads = 0;
  let isDone = false;
  const writing = service(file, 'add', changes, 'python').finally(() => {
    isDone = true;
  });
  while (!isDone) {
    reads++;
    await db.get().catch(() => errors++);
  }
  const { done } = await writing;
  const found = Object.keys(JSON.parse(readFileSync(file, 'utf8'))).length;
  check(found === done + 1, `${done + 1 - found} of ${done + 1} changes are lost`);
  return { changes: done, reads, errors };
}

/** A lock directory that a dead user of proper-lockfile left behind holds up ours, but no Python service. */
async function deadPlainUser(file, { worst }, check) {
  const db = new QuietDB(file);
  await db.add('a', { volume: 'os--a', rights: 1 });
  mkdirSync(`${file}.lock`);
  const begin = performance.now();
  const waiting = Promise.all(
    [1, 2, 3, 4].map((nr) => new QuietDB(file).add(`${nr}`, { volume: 'v', rights: 1 })),
  );
  const { longest, gaveUp } = await service(file, 'poll', 5);
  check(
    gaveUp === 0 && longest < worst,
    `a Python service waited ${longest} ms, and gave up ${gaveUp} times`,
  );
  await waiting;
  return { 'a service waited ms': rounded(longest), 'ours waited ms': rounded(performance.now() - begin) };
}

/** A process that does nothing but change the file lets others in, and its own timers run. */
async function busyProcess(file, { seconds, worst }, check) {
  const figures = {};
  const loops = {
    'one after the other': async (db, nr) => db.add(`k${nr % 50}`, { volume: 'os--a', rights: 1 }),
    'a thousand at once': (db) =>
      Promise.all(
        Array.from({ length: 1000 }, (_, nr) =>
          db.add(`k${nr % 50}`, { volume: `os--${Math.random()}`, rights: 1 }),
        ),
      ),
    reads: (db) => db.get(),
  };
  for (const [name, work] of Object.entries(loops)) {
    const db = new QuietDB(file);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    let isDone = false;
    const polling = service(file, 'poll', seconds / 3).finally(() => {
      isDone = true;
    });
    let rounds = 0;
    while (!isDone) await work(db, rounds++);
    clearInterval(timer);
    const { longest, taken, gaveUp } = await polling;
    check(
      gaveUp === 0 && longest < worst,
      `${name}: a service waited ${longest} ms, gave up ${gaveUp} times`,
    );
    check(ticks > 20, `${name}: timers ran ${ticks} times`);
    figures[name] = {
      rounds,
      'taken by the service': taken,
      'it waited at the worst ms': rounded(longest),
      ticks,
    };
  }
  return figures;
}

/** Several processes that do nothing but change the file: each leaves gaps, and the others may fill them. */
async function busyProcesses(file, { seconds, others, crowd }, check) {
  const settings = JSON.stringify({ file, lock: {} });
  const actors = await Promise.all(
    Array.from({ length: others }, () => Actor.start(process.execPath, [LOCKING_ACTOR, settings])),
  );
  for (const actor of actors) actor.ask('changeForEver').catch(() => undefined);
  const polls = await Promise.all(Array.from({ length: others }, () => service(file, 'poll', seconds)));
  for (const actor of actors) await actor.kill();
  const longest = Math.max(...polls.map((poll) => poll.longest));
  const gaveUp = polls.reduce((sum, poll) => sum + poll.gaveUp, 0);
  check(gaveUp === 0 && longest < crowd, `a service waited ${rounded(longest)} ms, gave up ${gaveUp} times`);
  return {
    'a service waited at the worst ms': rounded(longest),
    taken: polls.map(({ taken }) => taken).join(' '),
  };
}

/** The other way round. */
async function busyServices(file, { seconds, others, crowd }, check) {
  let isDone = false;
  const working = Promise.all(Array.from({ length: others }, () => service(file, 'busy', seconds))).finally(
    () => {
      isDone = true;
    },
  );
  const db = new QuietDB(file);
  const waits = [];
  let gaveUp = 0;
  for (let nr = 0; !isDone; nr++) {
    const begin = performance.now();
    await db.add(`node${nr % 50}`, { volume: 'os--n', rights: nr % 2 }).catch(() => gaveUp++);
    waits.push(performance.now() - begin);
    await sleep(100);
  }
  const made = (await working).map((busy) => busy.made);
  const longest = Math.max(...waits);
  check(gaveUp === 0 && longest < crowd, `ours waited ${rounded(longest)} ms, and gave up ${gaveUp} times`);
  return {
    'ours waited at the worst ms': rounded(longest),
    taken: waits.length,
    'by the services': made.join(' '),
  };
}

/** Pipes, links and endless files in the places of ours hold nobody up. */
async function strangeFiles(file, _options, check) {
  const db = new QuietDB(file);
  await db.add('a', { volume: 'os--a', rights: 1 });
  let nr = 0;
  for (const name of ['holder', 'restored', 'torn.1', 'lock', 'backup']) {
    for (const make of ['mkfifo', 'mkdir', 'ln -s /dev/zero', 'touch']) {
      // That is a lock, and respected for ten seconds.
      if (name === 'lock' && make === 'mkdir') continue;
      const path = `${file}.${name}`;
      spawnSync('sh', ['-c', `rm -rf '${path}' && ${make} '${path}'`]);
      if (make === 'touch') chmodSync(path, 0o000);
      const begin = performance.now();
      await db.add(`strange${nr++}`, { volume: 'os--a', rights: 1 }).catch(({ message }) => {
        check(message.includes(path), `${make} ${name}: ${message}`);
      });
      check(performance.now() - begin < 2000, `${make} ${name} held it up`);
      spawnSync('rm', ['-rf', path]);
    }
  }
  check((await db.get()).strange0 !== undefined, 'the first is not there');
  return { tried: nr };
}
