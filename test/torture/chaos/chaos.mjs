import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { now } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { seed, stateAfter } from '../lib/changes.mjs';
import { journalOf, leftBehind, QuietDB, whenTorn } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { hasPython, Worker } from '../lib/services.mjs';

program(
  {
    name: 'chaos',
    about: `Kills Node.js processes and Python services that change one file, any of them at any moment, and all Node.js processes
just while the file is torn. No acknowledged change of anybody is lost, unless a Python service was killed and has torn the file: then everybody is
told so, nothing is changed any more, and a new round begins.`,
    options: {
      seconds: [60, 'for how long'],
      round: [10, 'seconds of a round, if the file is not torn'],
      node: [3, 'how many Node.js processes there are at a time'],
      python: [3, 'how many Python services'],
      entries: [300, 'size of the file in the beginning'],
      aimed: [0.3, 'how often all Node.js processes are killed just while the file is torn'],
      locker: LOCKER,
    },
  },
  async (options, report) => {
    if (!hasPython()) return report.skip('there is no python3');
    const figures = { rounds: 0, 'torn by Python': 0 };
    const [killed, made] = [
      { node: 0, python: 0 },
      { node: 0, python: 0 },
    ];
    const end = now() + options.seconds * 1000;
    while (now() < end) {
      const round = await play(Math.min(end, now() + options.round * 1000), options, report);
      figures.rounds++;
      if (await judge(round, report)) figures['torn by Python']++;
      for (const { kind } of round.dead) killed[kind]++;
      for (const { kind, done } of round.dead) made[kind] += done + 1;
    }
    report.figure('chaos', { ...figures, killed, 'changes made': made });
    const isProved = Math.min(killed.node, killed.python, made.node, made.python) > 0;
    return report.check(isProved, 'not all were killed, or not all made changes');
  },
);

/** @returns the file, what it held in the beginning, and the processes, all of them dead */
async function play(end, { entries, locker, aimed, node, python }, report) {
  const seeded = seed(entries);
  const file = makeWorkspace().cache(JSON.stringify(seeded));
  const shortest = readFileSync(file).length / 2;
  const living = new Set();
  const dead = [];
  const startOne = (kind) => {
    const worker = new Worker(kind, locker, file, `${kind}${living.size + dead.length}`, 15);
    worker.go(0);
    living.add(worker);
  };
  const kill = (workers) => {
    for (const worker of workers) living.delete(worker);
    dead.push(...workers);
    return Promise.all(workers.map((worker) => worker.kill()));
  };
  for (let nr = 0; nr < node; nr++) startOne('node');
  for (let nr = 0; nr < python; nr++) startOne('python');

  while (now() < end && ![...living, ...dead].some(isToldTorn)) {
    await sleep(Math.random() * 600);
    const isAimed = Math.random() < aimed;
    if (isAimed) whenTorn(file, shortest, 100, () => undefined);
    // Python services would tear the file nearly each time, and end the round.
    const some = [...living].filter(({ kind }) => !isAimed || kind === 'node');
    const dying = isAimed ? some : [some[Math.floor(Math.random() * some.length)]];
    await kill(dying);
    for (const { kind } of dying) startOne(kind);
    report.progress(`${dead.length} killed in this round`);
  }
  await kill([...living]);
  return { file, seeded, dead };
}

const isToldTorn = ({ kind, failed }) => kind === 'node' && failed.has('ECORRUPT');

/** @returns whether a Python service has torn the file */
async function judge({ file, seeded, dead }, report) {
  const failures = dead.flatMap(({ name, failed }) =>
    [...failed].map(([code, words]) => [code, `${name}: ${words}`]),
  );
  for (const [code, words] of failures) report.check(code === 'ECORRUPT', words);
  const bytes = () => [readFileSync(file, 'utf8'), journalOf(file)];
  const before = bytes();
  const content = await new QuietDB(file).get().catch((error) => error);
  report.check(leftBehind(file) === 'nothing', 'a lock directory is left');
  if (content instanceof Error) {
    const isTheirs = content.code === 'ECORRUPT' && !before[0].startsWith('!');
    report.check(isTheirs && dead.some(({ kind }) => kind === 'python'), content.message);
    report.check(isDeepStrictEqual(bytes(), before), 'the torn file or its journal is changed');
    return true;
  }
  report.check(!dead.some(isToldTorn), 'somebody was told that the file is torn, and later it was not');
  for (const { name, done } of dead) {
    const own = Object.fromEntries(Object.entries(content).filter(([key]) => key.startsWith(`${name}-`)));
    for (const key of Object.keys(own)) delete content[key];
    const holds = [done, done + 1].some((n) => isDeepStrictEqual(own, stateAfter(name, n)));
    report.check(holds, `${name}, after change ${done}: ${JSON.stringify(own)}`);
  }
  report.check(isDeepStrictEqual(content, seeded), 'what was there in the beginning is not as it was');
  return false;
}
