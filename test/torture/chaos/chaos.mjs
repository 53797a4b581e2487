import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { now } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { seed, stateAfter } from '../lib/changes.mjs';
import { isTorn, journalOf, leftBehind, QuietDB, whenTorn } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { hasPython, Worker } from '../lib/services.mjs';

/** Between two kills at the most; a process needs a part of it to start. Milliseconds. */
const PAUSE = 600;
/** How long to look for a torn file, which keeps a core busy. Milliseconds. */
const PATIENCE = 100;

program(
  {
    name: 'chaos',
    about: `Kills Node.js processes and Python services that change one file, any of them at any moment, and some just while the file
is torn. No acknowledged change of anybody is lost, unless a Python service was killed and has torn the file: then everybody is
told so, nothing is changed any more, and a new round begins.`,
    options: {
      seconds: [60, 'for how long'],
      round: [10, 'seconds of a round, if the file is not torn'],
      node: [3, 'how many Node.js processes there are at a time'],
      python: [3, 'how many Python services'],
      entries: [300, 'size of the file in the beginning'],
      aimed: [0.3, 'the part of the kills that waits for a torn file'],
      locker: LOCKER,
    },
  },
  async (options, report) => {
    if (!hasPython()) return report.skip('there is no python3');
    const total = {
      rounds: 0,
      'torn by Python': 0,
      kills: { node: 0, python: 0 },
      changes: { node: 0, python: 0 },
    };
    const end = now() + options.seconds * 1000;
    while (now() < end) await playRound(Math.min(end, now() + options.round * 1000), options, total, report);
    for (const [name, figure] of Object.entries(total)) report.figure(name, figure);
    const isProved = Math.min(...Object.values(total.kills), ...Object.values(total.changes)) > 0;
    report.check(isProved, 'not all were killed, or not all made changes');
  },
);

async function playRound(end, { entries, locker, aimed, ...options }, total, report) {
  const seeded = seed(entries);
  const file = makeWorkspace().cache(JSON.stringify(seeded));
  const shortest = readFileSync(file).length / 2;
  const workers = [];
  const living = new Set();
  const startOne = (kind) => {
    const worker = new Worker(kind, locker, file, `${kind}${workers.length}`, 15);
    worker.go(0);
    workers.push(worker);
    living.add(worker);
  };
  for (const kind of ['node', 'python']) for (let nr = 0; nr < options[kind]; nr++) startOne(kind);
  const isToldTorn = () => workers.some(({ kind, failed }) => kind === 'node' && failed.has('ECORRUPT'));

  let pythonsKilled = 0;
  while (now() < end && !isToldTorn()) {
    await sleep(Math.random() * PAUSE);
    const isAimed = Math.random() < aimed;
    if (isAimed) whenTorn(file, shortest, PATIENCE, () => undefined);
    // Of several at once, only those of one kind: Python services would tear the file nearly each time.
    const [first, ...others] = [...living].toSorted(() => Math.random() - 0.5);
    const dying = [first, ...(isAimed ? others.filter(({ kind }) => kind === first.kind) : [])];
    await Promise.all(dying.map((worker) => worker.kill()));
    for (const worker of dying) {
      living.delete(worker);
      total.kills[worker.kind]++;
      if (worker.kind === 'python') pythonsKilled++;
      startOne(worker.kind);
    }
    report.progress(
      `round ${total.rounds + 1}: ${workers.length} processes, ${pythonsKilled} Python services killed`,
    );
  }
  await Promise.all([...living].map((worker) => worker.kill()));
  pythonsKilled += [...living].filter(({ kind }) => kind === 'python').length;

  total.rounds++;
  for (const { kind, done } of workers) total.changes[kind] += done + 1;
  await judge({ file, seeded, workers, isToldTorn: isToldTorn(), pythonsKilled }, total, report);
}

async function judge({ file, seeded, workers, isToldTorn, pythonsKilled }, total, report) {
  for (const { kind, name, failed } of workers) {
    for (const [code, message] of failed) {
      report.check(code === 'ECORRUPT' || kind === 'python', `${name}: ${code} ${message}`);
      report.check(code !== 'ELOCKED', `${name}: ${message}`);
    }
  }
  const bytes = () => [readFileSync(file, 'utf8'), journalOf(file)];
  const before = bytes();
  const content = await new QuietDB(file).get().catch((error) => error);
  report.check(leftBehind(file) === 'nothing', 'a lock directory is left');
  if (content instanceof Error) {
    total['torn by Python']++;
    report.check(content.code === 'ECORRUPT' && isTorn(file), content.message);
    report.check(pythonsKilled > 0, `torn, though no Python service was killed: ${content.message}`);
    report.check(isDeepStrictEqual(bytes(), before), 'the torn file or its journal is changed');
    return;
  }
  report.check(!isToldTorn, 'somebody was told that the file is torn, and later it was not');
  const left = { ...content };
  for (const { name, done } of workers) {
    const own = Object.entries(content).filter(([key]) => key.startsWith(`${name}-`));
    for (const [key] of own) delete left[key];
    const holds = [done, done + 1].some((n) =>
      isDeepStrictEqual(Object.fromEntries(own), stateAfter(name, n)),
    );
    report.check(holds, `${name}, after change ${done}: ${JSON.stringify(own).slice(0, 500)}`);
  }
  report.check(isDeepStrictEqual(left, seeded), 'what was there in the beginning is not as it was');
}
