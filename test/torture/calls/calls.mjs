import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { SPLockedJSONDB } from '../../../build/index.js';
import { closed, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { lockFiles } from '../lib/leftovers.mjs';
import { program } from '../lib/program.mjs';

const ONE_CALL = fileURLToPath(new URL('./one-call.mjs', import.meta.url));
const FAULTS = ['SIGKILL', 'EIO', 'ENOSPC', 'EACCES', 'EDQUOT'];
/** Less than a lock directory needs to become stale, on a busy machine too. Milliseconds. */
const AT_ONCE = 5000;

const entry = (name) => ({ volume: `os--${name}`, rights: 2 });
const OLD = { a: entry('a'), c: entry('c') };
const OLDER = { a: entry('older') };
/** As this library writes, and as Python does. */
const json = JSON.stringify;
const python = (value) => json(value).replaceAll('":', '": ').replaceAll(',"', ', "');

/** What the file and its copy hold before the call, and what a reader may find after it. */
const SCENES = {
  add: {
    call: 'add',
    file: json(OLD),
    copy: `${json(OLD)}\n`,
    before: OLD,
    after: { ...OLD, b: entry('b') },
  },
  removeKeys: { call: 'removeKeys', file: json(OLD), copy: `${json(OLD)}\n`, before: OLD, after: {} },
  refresh: { call: 'get', file: python(OLD), copy: `${json(OLDER)}\n`, before: OLD, after: OLD },
  refreshAndAdd: {
    call: 'add',
    file: python(OLD),
    copy: `${json(OLDER)}\n`,
    before: OLD,
    after: { ...OLD, b: entry('b') },
  },
  addAndPython: {
    call: 'add',
    file: json(OLD),
    copy: `${json(OLD)}\n`,
    before: OLD,
    after: { ...OLD, b: entry('b') },
    isPythonNext: true,
  },
  restoreOurs: { call: 'get', file: json(OLD).slice(0, 20), copy: `${json(OLD)}\t`, before: OLD, after: OLD },
  restoreTheirs: {
    call: 'get',
    file: `${python(OLD).slice(0, -4)}`,
    copy: `${json(OLDER)}\n`,
    before: { a: OLD.a },
    after: { a: OLD.a },
    isOld: true,
  },
};

/** After that a write is no longer taken for ours. Milliseconds. */
const WRITE_TIME = 100;

class QuietDB extends SPLockedJSONDB {
  warn() {}
}

program(
  {
    name: 'calls',
    about: `Lets a process be killed, or its disk fail, at every system call of a change, of a read that renews the copy and of
a restore: the next one has the lock at once and finds what was acknowledged, at most the change that was under
way besides, and nothing that was refused, also when the file is torn later.`,
    options: {
      faults: { default: FAULTS.join('+'), help: `which, with + between: ${FAULTS.join(', ')}` },
      scenes: { default: Object.keys(SCENES).join('+'), help: 'which, with + between' },
      every: { default: 1, help: 'only each so-manieth call' },
      locker: { default: 'koffi', help: 'how they take the kernel lock', choices: ['koffi', 'flock'] },
    },
  },
  async ({ faults, scenes, every, locker }, report) => {
    if (spawnSync('strace', ['-o', '/dev/null', 'true']).status !== 0) {
      report.skip('there is no strace, or it may not trace');
      return;
    }
    const { cache } = makeWorkspace();
    for (const name of scenes.split('+')) {
      const scene = SCENES[name];
      const calls = await callsOf(cache(), scene, locker);
      report.check(calls.length > 20, `${name}: only ${calls.length} calls are seen`);
      const found = { calls: calls.length };
      for (const fault of faults.split('+')) {
        for (const { call, nr } of calls.filter((_call, at) => at % every === 0)) {
          const what = `${name}, ${fault} at ${call} ${nr}`;
          report.progress(what);
          const outcome = await attempt(cache(), scene, locker, `${call}:${inject(fault)}:when=${nr}`);
          const state = await judge(scene, outcome, (holds, violation) =>
            report.check(holds, `${what}: ${violation}`),
          );
          found[`${fault} ${state}`] = (found[`${fault} ${state}`] ?? 0) + 1;
        }
      }
      report.figure(name, found);
      const hit = Object.keys(found).filter((state) => /killed|refused|lost|kept/u.test(state)).length;
      report.check(hit > 0, `${name}: no fault hit anything`);
    }
  },
);

const inject = (fault) => (fault === 'SIGKILL' ? `signal=${fault}` : `error=${fault}`);

/** The system calls on the file and what is beside it, each with its number among those of its name. */
async function callsOf(file, scene, locker) {
  const log = `${file}.trace`;
  await attempt(file, scene, locker, undefined, log);
  const counts = {};
  return [...readFileSync(log, 'utf8').matchAll(/^\d+ +(\w+)\(/gmu)].map(([, call]) => {
    counts[call] = (counts[call] ?? 0) + 1;
    return { call, nr: counts[call] };
  });
}

/** Makes the call in a process of its own, under strace. */
async function attempt(file, { call, file: content, copy }, locker, injected, log = '/dev/null') {
  writeFileSync(`${file}.backup`, copy);
  writeFileSync(file, content);
  for (const path of [file, `${file}.backup`]) utimesSync(path, 1e9, 1e9);
  const beside = ['', '.backup', '.lock', '.holder', '.restored', '.torn.1'].map((end) => file + end);
  const paths = [...beside, dirname(file)].flatMap((path) => ['-P', path]);
  const tampering = injected === undefined ? [] : ['-e', `inject=${injected}`];
  const args = ['-f', '-qq', '-o', log, ...paths, '-e', 'trace=%file,%desc', ...tampering];
  const child = start('strace', [...args, process.execPath, ...nodeArguments(locker), ONE_CALL, call, file], {
    stdio: ['ignore', 'pipe', 'ignore'],
    // One thread flushes, so that flushes are counted.
    env: { ...process.env, UV_THREADPOOL_SIZE: '1' },
  });
  let output = '';
  child.stdout.on('data', (data) => {
    output += data;
  });
  await closed(child);
  return { file, said: output === '' ? undefined : JSON.parse(output) };
}

/** @returns what came of it, for the figures */
async function judge({ before, after, isOld, isPythonNext }, { file, said }, check) {
  const db = new QuietDB(file);
  if (isPythonNext) return judgeBesidePython(db, file, check);
  const begin = performance.now();
  const found = await db.get().catch((error) => error);
  const waited = performance.now() - begin;
  check(waited < AT_ONCE, `the next one waited ${Math.round(waited)} ms`);
  check(lockFiles(file).length === 0, `${lockFiles(file)} stays`);
  const isAfter = isDeepStrictEqual(found, after);
  const isBefore = isDeepStrictEqual(found, before);
  if (!check(isAfter || isBefore, `found ${found instanceof Error ? found.message : json(found)}`))
    return 'bad';
  if (said?.ok) check(isAfter, 'what was acknowledged is lost');
  if (said?.ok === false) {
    const { name, code, message } = said;
    check(name === 'SPLockedFileError' && message.includes(file), `the error is ${name} ${code} ${message}`);
    if (message.includes('it still has the old content')) check(isBefore, `it says: ${message}`);
    else if (!/the new content/iu.test(message))
      check(/nothing was changed|Cannot lock|is restored at the next access/u.test(message), message);
  }
  check(
    existsSync(`${file}.restored`) === (isOld === true),
    'the note is there, or is not, and must not or must be',
  );
  // What was refused must not come back.
  writeFileSync(file, '');
  const later = await db.get().catch((error) => error);
  check(isDeepStrictEqual(later, found), `torn later, it holds ${json(later)}`);
  return said === undefined ? (isAfter ? 'killed, new' : 'killed, old') : said.ok ? 'made' : 'refused';
}

/** Next comes a Python service that changes the file, and one that is killed while it does. */
async function judgeBesidePython(db, file, check) {
  const present = parsed(readFileSync(file, 'utf8'));
  if (present === undefined) return 'torn';
  await sleep(WRITE_TIME);
  writeFileSync(file, python({ ...present, p: entry('p') }));
  writeFileSync(file, '');
  const found = await db.get().catch((error) => error);
  const isThere = !(found instanceof Error) && 'p' in found;
  check(
    isThere || found.code === 'ECORRUPT' || existsSync(`${file}.restored`),
    'what Python changed is lost, silently',
  );
  return found.code ?? (isThere ? 'kept' : 'lost, with a note');
}

function parsed(content) {
  try {
    return JSON.parse(content);
  } catch {
    return undefined;
  }
}
