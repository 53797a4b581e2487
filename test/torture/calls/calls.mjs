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

/** Less than a lock directory needs to become stale, on a busy machine too. Milliseconds. */
const AT_ONCE = 5000;
/** After that, a torn file is not taken for a write of ours. Milliseconds. */
const WRITE_TIME = 60;

/** What lies there before the change, and how often an add() then flushes. */
const play = (before) => (scene) => tryEveryCall(scene, before);
const SCENES = {
  add: play({ file: json(OLD), journal: `${json(OLD)}\n`, flushes: 2 }),
  addFirst: play({ file: json(OLD), flushes: 4 }),
  addAfterPython: play({ file: python, journal: '{"older":1}\n', flushes: 3 }),
  addThenPython: play({ file: json(OLD), journal: `${json(OLD)}\n`, flushes: 2, isPythonNext: true }),
  takeOver: play({ file: json(OLD), journal: `${json(OLD)}\n`, flushes: 2, isLeftBehind: true }),
  finish: play({ file: json(OLD).slice(0, 20), journal: `${json(OLD)}\t`, flushes: 3 }),
  finishAfterTakeOver: play({ file: '', journal: `${json(OLD)}\t`, flushes: 3, isLeftBehind: true }),
};

program(
  {
    name: 'calls',
    about: `Lets a process be killed, or its disk fail, at every system call of add(), also where it has to remove the lock
directory of a dead process or to finish a write first. The next process has the lock at once and finds what was acknowledged, at most
the change that was under way besides, and nothing that was refused; what an error says of the content is true.`,
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
  async (options, report) => {
    if (spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0) await playing(SCENES)(options, report);
    else report.skip('there is no strace, or it may not trace');
  },
);

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
      const when = fault.endsWith('+') ? `${nr}+` : nr;
      const effect = fault === 'SIGKILL' ? `signal=${fault}` : `error=${fault.replace('+', '')}`;
      const outcome = await attempt(scene, before, `${call}:${effect}:when=${when}`);
      const judge = before.isPythonNext && isPythonAble(scene) ? judgeBesidePython : judgeNext;
      const state = await judge(scene.file, outcome, check);
      found[`${fault} ${state}`] = (found[`${fault} ${state}`] ?? 0) + 1;
    }
  }
  const hit = Object.keys(found).filter((state) => / (killed|refused|kept)/u.test(state));
  scene.check(hit.length > 0, 'no fault hit anything');
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
function attempt(scene, { file: content, journal, isLeftBehind }, injected, log = '/dev/null') {
  const { file } = scene;
  spawnSync('rm', ['-rf', `${file}.backup`, `${file}.lock`]);
  writeFileSync(file, content);
  if (journal !== undefined) writeFileSync(`${file}.backup`, journal);
  for (const path of [file, `${file}.backup`].filter(existsSync)) utimesSync(path, 1e9, 1e9);
  if (isLeftBehind) mkdirSync(`${file}.lock`, { mode: 0o1755 });
  const paths = ['', '.backup', '.lock'].map((end) => file + end).concat(dirname(file));
  const traced = [...paths.flatMap((path) => ['-P', path]), '-e', 'trace=%file,%desc'];
  const tampering = injected === undefined ? [] : ['-e', `inject=${injected}`];
  const command = service('node', scene.options.locker, file, 'add', 1, 'b', 0);
  // One thread flushes, so that flushes are counted.
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1' };
  return run(['strace', '-f', '-qq', '-o', log, ...traced, ...tampering, ...command], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

/** @returns what came of it, for the figures */
async function judgeNext(file, said, check) {
  const db = new QuietDB(file);
  const begin = performance.now();
  const found = await db.get().catch((error) => error);
  const waited = performance.now() - begin;
  check(waited < AT_ONCE, `the next one waited ${Math.round(waited)} ms`);
  check(leftBehind(file) === 'nothing', 'a lock directory stays');
  const state = stateOf(found);
  if (said?.failed) checkError(said.failed, file, state, check);
  else if (said) check(state === 'new', `what was acknowledged is lost: ${json(found)}`);
  else check(state === 'new' || state === 'old', `found ${found.message ?? json(found)}`);
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
    /it still has the old content$|nothing was changed$|^Cannot lock |was lost: .* Nothing was written/u,
    ['old'],
  ],
  [/the next call finishes the write/u, ['new']],
  [/it is still torn/u, ['old']],
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
  await sleep(WRITE_TIME);
  const journal = journalOf(file);
  writeFileSync(file, '');
  const { code } = await db.get().catch((error) => error);
  check(code === 'ECORRUPT', `torn later, it is ${code}`);
  check(journalOf(file) === journal, 'the journal is changed beside a file that is torn');
}

const isPythonAble = ({ file }) => !isTorn(file);

/** A Python service is the next one: it makes a change, and is killed while it makes another. */
async function judgeBesidePython(file, _said, check) {
  const journal = journalOf(file);
  const added = await run(service('python', '', file, 'add', 1, 'p', 0));
  check(added?.waits?.[0] < AT_ONCE, `Python says ${json(added)}`);
  await run(service('python', '', file, 'die', 'half', 'q'));
  const torn = readFileSync(file, 'utf8');
  const error = await new QuietDB(file).get().catch((reason) => reason);
  check(error.code === 'ECORRUPT', `after Python was killed, it is ${json(error)} ${error.message}`);
  check(readFileSync(file, 'utf8') === torn && torn.length > 0, 'the torn file is changed');
  check(journalOf(file) === journal, 'the journal is changed beside a torn file');
  return 'kept';
}
