import { readFileSync } from 'node:fs';
import { quantile, rounded, tail } from '../../lib/stats.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { hasPython, run, service } from '../lib/services.mjs';

const SCENES = { changes, busy, busyPython };

program(
  {
    name: 'contention',
    about: `Lets Python services and Node.js processes use one file all at once: no change of anybody is lost, and nobody waits
too long. In the scene "busy" the Node.js processes do nothing but change the file while Python services look for the lock
every 0.1 s, in "busyPython" it is the other way round.`,
    options: {
      python: [4, 'how many Python services make changes'],
      node: [4, 'how many Node.js processes make changes'],
      changes: [60, 'how many changes each of them makes'],
      pause: [5, 'ms on average that each pauses after a change'],
      loops: [3, 'how many are busy, and how many look for the lock beside them'],
      seconds: [60, 'how long they are busy'],
      worst: [3000, 'ms that anybody waits at the worst for one of the changes'],
      only: only(SCENES),
      locker: [...LOCKER.with(0, 'mixed').slice(0, 2), [...LOCKER[2], 'mixed']],
    },
  },
  async (options, report) => {
    if (hasPython()) await playing(SCENES)(options, report);
    else report.skip('there is no python3');
  },
);

/** The processes of both kinds, each with its name. */
const names = (kind, count) => Array.from({ length: count }, (_, nr) => [kind, `${kind}${nr}`]);
const lockerOf = (locker, name) => (locker === 'mixed' ? LOCKER[2][Number(name.slice(-1)) % 2] : locker);

/** Runs the same command in each of them. @returns what they say */
async function all(scene, who, command, argsOf) {
  const { locker } = scene.options;
  const said = await Promise.all(
    who.map(([kind, name]) =>
      run(service(kind, lockerOf(locker, name), scene.file, command, ...argsOf(name))),
    ),
  );
  for (const [nr, result] of said.entries()) {
    const fine = result !== undefined && result.failed === undefined;
    scene.check(fine, `${who[nr][1]} ended with ${JSON.stringify(result?.failed)}`);
  }
  return said;
}

async function changes(scene) {
  const { python, node, changes: count, pause, worst } = scene.options;
  const who = [...names('python', python), ...names('node', node)];
  const said = await all(scene, who, 'add', (name) => [count, name, pause]);
  const keys = who.flatMap(([, name]) => Array.from({ length: count }, (_, nr) => `${name}-${nr}`));
  const { content } = scene;
  const lost = keys.filter((key) => content[key]?.id !== key);
  const found = Object.keys(content).length;
  scene.check(lost.length === 0 && found === keys.length, `lost are ${lost.slice(0, 5)} of ${found}`);
  const waitsOf = (kind) => said.flatMap(({ waits }, nr) => (who[nr][0] === kind ? (waits ?? []) : []));
  const waits = { Python: waitsOf('python'), 'Node.js': waitsOf('node') };
  const longest = quantile(Object.values(waits).flat(), 1);
  scene.check(longest <= worst, `somebody waited ${longest} ms`);
  // Otherwise they went one after the other and met nobody.
  scene.check(longest > 5, 'nobody ever waited for anybody');
  const tails = Object.entries(waits).map(([kind, of]) => [`wait of ${kind} ms`, tail(of)]);
  return { keys: `${found} of ${keys.length}`, ...Object.fromEntries(tails) };
}

async function busy(scene) {
  const { loops, seconds } = scene.options;
  const working = all(scene, names('node', loops), 'busy', (name) => [seconds + 2, name]);
  const polls = await all(scene, names('python', loops), 'poll', () => [seconds]);
  const made = (await working).map((loop) => loop.made);
  for (const { waits } of polls) scene.check(waits?.length > 0, 'a Python service never had the lock');
  const figures = polls.map(
    ({ waits = [] }) => `${waits.length} times, at the worst after ${rounded(quantile(waits, 1))} ms`,
  );
  return { made: made.join(' '), 'Python had the lock': figures.join('; ') };
}

async function busyPython(scene) {
  const { loops, seconds } = scene.options;
  const working = all(scene, names('python', loops), 'busy', (name) => [seconds, name]);
  const count = seconds * 5;
  const said = await all(scene, names('node', 1), 'add', (name) => [count, name, 100]);
  const made = (await working).map((loop) => loop.made);
  const content = JSON.parse(readFileSync(scene.file, 'utf8'));
  const lost = Array.from({ length: count }, (_, nr) => `node0-${nr}`).filter((key) => !(key in content));
  scene.check(lost.length === 0, `lost are ${lost.slice(0, 5)}`);
  return { made: made.join(' '), 'Node.js waited ms': tail(said[0].waits ?? []) };
}
