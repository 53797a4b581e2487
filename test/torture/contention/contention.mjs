import { quantile, rounded, tail } from '../../lib/stats.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import { hasPython, run, service } from '../lib/services.mjs';

const SCENES = { changes, busy };

program(
  {
    name: 'contention',
    about: `Lets Python services and Node.js processes use one file all at once: no change of anybody is lost, and nobody waits
too long. In the scene "busy" the Node.js processes do nothing but change the file, while Python services look for the lock
every 0.1 s: none gives up.`,
    options: {
      python: [4, 'how many Python services make changes'],
      node: [4, 'how many Node.js processes make changes'],
      changes: [60, 'how many changes each of them makes'],
      pause: [5, 'ms on average that each pauses after a change'],
      worst: [3000, 'ms that anybody waits at the worst for one of the changes'],
      loops: [3, 'how many are busy, and how many look for the lock beside them'],
      seconds: [60, 'how long they are busy'],
      only: only(SCENES),
      locker: ['mixed', 'how the Node.js processes take the kernel lock', [...LOCKER[2], 'mixed']],
    },
  },
  playing(SCENES, hasPython(), 'there is no python3'),
);

/** Runs the same command in so many services of a kind. @returns what each says */
async function all(scene, kind, count, command, argsOf) {
  const { locker } = scene.options;
  const said = Array.from({ length: count }, async (_, nr) => {
    const own = locker === 'mixed' ? LOCKER[2][nr % 2] : locker;
    const result = await run(service(kind, own, scene.file, command, ...argsOf(`${kind}${nr}`)));
    const isFine = result !== undefined && result.failed === undefined;
    scene.check(isFine, `${kind}${nr} ended with ${JSON.stringify(result?.failed)}`);
    return result;
  });
  return Promise.all(said);
}

async function changes(scene) {
  const { python, node, changes: count, pause, worst } = scene.options;
  const add = (kind, services) => all(scene, kind, services, 'add', (name) => [count, name, pause]);
  const [pythons, nodes] = await Promise.all([add('python', python), add('node', node)]);
  const { content } = scene;
  const isWhole = Object.entries(content).every(([key, { id }]) => id === key);
  const [found, wanted] = [Object.keys(content).length, count * (python + node)];
  scene.check(isWhole && found === wanted, `there are ${found} of ${wanted} changes`);
  const [ofPython, ofNode] = [pythons, nodes].map((said) => said.flatMap(({ waits = [] }) => waits));
  const longest = quantile([...ofPython, ...ofNode], 1);
  // Otherwise they went one after the other and met nobody.
  scene.checkWait(longest, 5, worst);
  return { changes: found, 'Python waited ms': tail(ofPython), 'Node.js waited ms': tail(ofNode) };
}

async function busy(scene) {
  const { loops, seconds } = scene.options;
  const working = all(scene, 'node', loops, 'busy', (name) => [seconds + 2, name]);
  const polls = await all(scene, 'python', loops, 'poll', () => [seconds]);
  const worst = polls.map(
    ({ waits = [] }) => `${waits.length}, at the worst after ${rounded(quantile(waits, 1))} ms`,
  );
  const made = (await working).map((loop) => loop?.made);
  return { 'made by each': made.join(', '), 'lock taken by each Python service': worst.join('; ') };
}
