import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { request } from '../lib/changes.mjs';
import { isTorn, journalOf, leftBehind, QuietDB } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { run, service } from '../lib/services.mjs';

const OLD = { a: request('a', 1), c: request('c', 1) };
const NEW = { ...OLD, 'b-0': request('b-0', 0) };
const json = JSON.stringify;
/** As Python writes it. */
const python = json(OLD).replaceAll('":', '": ').replaceAll(',"', ', "');
const done = `${json(OLD)}\n`;
const underWay = `${json(OLD)}\t`;

/** What lies there before an add(), and how often it then flushes. */
const play = (before) => (scene) => tryEveryCall(scene, before);
const SCENES = {
  add: play({ file: json(OLD), journal: done, flushes: 2 }),
  addFirst: play({ file: json(OLD), flushes: 4 }),
  addAfterPython: play({ file: python, journal: '{"older":1}\n', flushes: 3 }),
  addThenPython: play({ file: json(OLD), journal: done, flushes: 2, isPythonNext: true }),
  takeOver: play({ file: json(OLD), journal: done, flushes: 2, isLeftBehind: true }),
  finish: play({ file: `!${json(OLD).slice(1, 20)}`, journal: underWay, flushes: 3 }),
  finishOfEarlierVersion: play({ file: '', journal: underWay, flushes: 3, isLeftBehind: true }),
};

program(
  {
    name: 'calls',
    about: `Lets a process be killed, or its disk fail, at every system call of add(), also where it has to remove the lock
directory of a dead process or to finish a write first. The next process has the lock at once and finds what was
acknowledged, at most the change that was under way besides, and nothing that was refused; what an error says is true.`,
    options: {
      faults: [
        'SIGKILL,ENOSPC,EIO,EDQUOT,EACCES,EIO+',
        'what happens, at one call or (+) at all from there on',
      ],
      every: [1, 'only at each of so many calls'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES, isTraceable(), 'there is no strace, or it may not trace'),
);

function isTraceable() {
  return spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0;
}

async function tryEveryCall(scene, before) {
  const { faults, every } = scene.options;
  const calls = await callsOf(scene, before);
  const flushes = calls.filter(({ call }) => ['fsync', 'fdatasync'].includes(call)).length;
  scene.check(flushes === before.flushes, `${flushes} flushes in place of ${before.flushes}`);
  const found = { calls: calls.length, flushes };
  for (const fault of faults.split(',')) {
    for (const { call, nr } of calls.filter((_call, at) => at % every === 0)) {
      const what = `${fault} at ${call} ${nr}`;
      scene.progress(what);
      const check = (holds, violation) => scene.check(holds, `${what}: ${violation}`);
      const effect = fault === 'SIGKILL' ? `signal=${fault}` : `error=${fault.replace('+', '')}`;
      const injected = `${call}:${effect}:when=${nr}${fault.endsWith('+') ? '+' : ''}`;
      const said = await attempt(scene, before, injected);
      const judge = before.isPythonNext && !isTorn(scene.file) ? judgeBesidePython : judgeNext;
      const state = `${fault} ${await judge(scene.file, said, check)}`;
      found[state] = (found[state] ?? 0) + 1;
    }
  }
  const isHit = Object.keys(found).some((state) => / (killed|refused|kept)/u.test(state));
  scene.check(isHit, 'no fault hit anything');
  return found;
}

/** The system calls on the file and what is beside it, each with its number among those of its name. */
async function callsOf(scene, before) {
  const log = `${scene.file}.trace`;
  await attempt(scene, before, undefined, log);
  const counts = {};
  return [...readFileSync(log, 'utf8').matchAll(/^\d+ +(\w+)\(/gmu)].map(([, call]) => {
    counts[call] = (counts[call] ?? 0) + 1;
    return { call, nr: counts[call] };
  });
}

/** Makes the change in a process of its own, under strace. @returns what it said, nothing if it was killed */
function attempt({ file, options }, before, injected, log = '/dev/null') {
  spawnSync('rm', ['-rf', `${file}.backup`, `${file}.lock`]);
  writeFileSync(file, before.file);
  if (before.journal !== undefined) writeFileSync(`${file}.backup`, before.journal);
  for (const path of [file, `${file}.backup`].filter(existsSync)) utimesSync(path, 1e9, 1e9);
  if (before.isLeftBehind) mkdirSync(`${file}.lock`, { mode: 0o1755 });
  const paths = ['', '.backup', '.lock'].map((end) => file + end).concat(dirname(file));
  const traced = [...paths.flatMap((path) => ['-P', path]), '-e', 'trace=%file,%desc'];
  const tampering = injected === undefined ? [] : ['-e', `inject=${injected}`];
  const command = service('node', options.locker, file, 'add', 1, 'b', 0);
  // One thread flushes, so that flushes are counted.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  const stdio = ['ignore', 'pipe', 'ignore'];
  return run(['strace', '-f', '-qq', '-o', log, ...traced, ...tampering, ...command], { env, stdio });
}

/** @returns what came of it, for the figures */
async function judgeNext(file, said, check) {
  const db = new QuietDB(file);
  const begin = performance.now();
  const found = await db.get().catch((error) => error);
  const waited = performance.now() - begin;
  // Less than a lock directory needs to become stale, on a busy machine too.
  check(waited < 5000, `the next one waited ${Math.round(waited)} ms`);
  check(leftBehind(file) === 'nothing', 'a lock directory stays');
  const state = stateOf(found);
  if (said?.failed) checkError(said.failed, file, state, check);
  else check(state === 'new' || (!said && state === 'old'), `found ${found.message ?? json(found)}`);
  if (state !== 'ECORRUPT') await checkTornLater(db, file, check);
  return `${said === undefined ? 'killed' : said.failed ? 'refused' : 'made'}, ${state}`;
}

function stateOf(found) {
  if (found instanceof Error) return found.code;
  if (isDeepStrictEqual(found, NEW)) return 'new';
  return isDeepStrictEqual(found, OLD) ? 'old' : 'wrong';
}

/** What an error may say of the content, and what the next access must then find. */
const PROMISES = [
  [
    /still has the old content$|nothing was changed(?: since)?$|^Cannot lock |was lost: .* Nothing was written/u,
    ['old'],
  ],
  [/it may still be torn/u, ['old']],
  [/it may be torn; "storpool-attachdb repair --file .*" mends it$/u, ['old', 'new', 'ECORRUPT']],
];

function checkError({ name, code, message }, file, state, check) {
  const isTyped = name === 'SPLockedFileError' && message.includes(file);
  check(isTyped, `the error is ${name} ${code} ${message}`);
  const promised = PROMISES.find(([words]) => words.test(message))?.[1] ?? [];
  check(promised.includes(state), `found is ${state}, but it says: ${message}`);
}

/** The file is torn later by somebody else: then nobody gets what the journal has, be it refused or old. */
async function checkTornLater(db, file, check) {
  const journal = journalOf(file);
  // After that, not even an earlier version would take it for a write of ours.
  await sleep(60);
  writeFileSync(file, '');
  await checkCorrupt(db, file, journal, check);
}

/** A Python service is the next one: it makes a change, and is killed while it makes another. */
async function judgeBesidePython(file, _said, check) {
  const journal = journalOf(file);
  const added = await run(service('python', '', file, 'add', 1, 'p', 0));
  check(added?.waits?.[0] < 5000, `Python says ${json(added)}`);
  await run(service('python', '', file, 'die', 'half', 'q'));
  await checkCorrupt(new QuietDB(file), file, journal, check);
  return 'kept';
}

async function checkCorrupt(db, file, journal, check) {
  const torn = readFileSync(file, 'utf8');
  const { code } = await db.get().catch((error) => error);
  check(code === 'ECORRUPT', `torn later, it is ${code}`);
  check(readFileSync(file, 'utf8') === torn, 'the torn file is changed');
  check(journalOf(file) === journal, 'the journal is changed beside a torn file');
}
