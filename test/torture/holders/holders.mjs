import { LOCKER, program } from '../lib/program.mjs';
import { only, playing } from '../lib/scene.mjs';
import * as dead from './dead.mjs';
import * as living from './living.mjs';

const SCENES = { ...dead, ...living };

program(
  {
    name: 'holders',
    about: `Plays holders that block, stop, die and leave things behind, and clocks that jump: there are never two holders at work,
a lost lock is an error before anything is written, and nobody waits longer than documented.`,
    options: {
      block: [
        15_000,
        'ms for which a holder is blocked, more than the 10 s after which a directory is stale',
      ],
      rounds: [50, 'how often a holder is killed'],
      within: [50, 'ms within which the next one is in then, as a median'],
      together: [6, 'how many scenes are played at the same time'],
      only: only(SCENES),
      locker: LOCKER,
    },
  },
  playing(SCENES),
);
