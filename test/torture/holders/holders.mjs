import { program } from '../lib/program.mjs';
import { Scene } from '../lib/scene.mjs';
import * as blocked from './blocked.mjs';
import * as clock from './clock.mjs';
import * as killed from './killed.mjs';
import * as leftover from './leftover.mjs';
import * as stopped from './stopped.mjs';

/** This one measures, and so it has the machine for itself. */
const FIRST = [killed.killedWithKernelLock];
const SCENES = [
  ...FIRST,
  ...Object.values({ ...blocked, ...stopped, ...killed, ...leftover, ...clock }).filter(
    (play) => !FIRST.includes(play),
  ),
];

program(
  {
    name: 'holders',
    about: `Plays holders that block, stop, die and leave things behind, and looks that there are never two of them at
work and that nobody waits longer than he has to.`,
    options: {
      block: { default: 15_000, help: 'ms for which a holder is blocked' },
      stale: { default: 10_000, help: 'lock.stale' },
      timeout: { default: 15_000, help: 'lock.timeout' },
      rounds: { default: 50, help: 'how often a holder is killed' },
      within: { default: 50, help: 'ms within which the next one is in then, as a median' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
      only: { default: '', help: `one scene: ${SCENES.map(({ name }) => name).join(', ')}` },
      together: { default: 6, help: 'how many scenes are played at the same time' },
    },
  },
  async (options, report) => {
    if (!(options.block > options.stale * 1.2)) throw new Error('--block must be longer than --stale');
    const chosen = SCENES.filter(({ name }) => options.only === '' || name === options.only);
    const left = chosen.filter((play) => !FIRST.includes(play));
    for (const play of chosen.filter((play) => FIRST.includes(play))) await perform(play, options, report);
    const stages = Array.from({ length: options.together }, async () => {
      for (let play = left.shift(); play !== undefined; play = left.shift())
        await perform(play, options, report);
    });
    await Promise.all(stages);
  },
);

async function perform(play, options, report) {
  report.progress(play.name);
  const shown = setInterval(() => report.progress(play.name), 1000);
  const scene = new Scene(play.name, options, report);
  try {
    await play(scene);
  } catch (error) {
    scene.check(false, error.stack);
  } finally {
    clearInterval(shown);
    await scene.end();
  }
}
