import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { median, now, tail } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { seed, stateAfter } from '../lib/changes.mjs';
import { isTorn, leftBehind, QuietDB, whenTorn } from '../lib/file.mjs';
import { LOCKER, program } from '../lib/program.mjs';
import { Worker } from '../lib/services.mjs';

/** So many aimed kills more, at most, until one of them has torn the file: on a busy machine they come late. */
const MORE = 50;
const NAME = 'w';

program(
  {
    name: 'kill',
    about: `Kills writers at random moments, and some just while the file is torn. After each kill the file holds every change
that was acknowledged and at most the one that was under way besides, and the next process has the lock at once.`,
    options: {
      kills: [2000, 'how many kills, over all sizes'],
      entries: [[50, 2000, 20000], 'sizes of the file'],
      aimed: [0.25, 'the part of the kills that waits for a torn file'],
      within: [50, 'ms within which the next process has the lock, as a median'],
      worst: [1500, 'ms within which it always has it'],
      locker: LOCKER,
    },
  },
  async (options, report) => {
    for (const entries of options.entries) {
      const kills = Math.round(options.kills / options.entries.length);
      report.figure(`${entries} entries`, await killWriters(entries, kills, options, report));
    }
  },
);

async function killWriters(entries, kills, options, report) {
  const seeded = seed(entries);
  const file = makeWorkspace().cache(JSON.stringify(seeded));
  const shortest = readFileSync(file).length / 2;
  const stateIs = (content, n) => isDeepStrictEqual(content, { ...seeded, ...stateAfter(NAME, n) });
  const found = { torn: 0, 'torn by chance': 0, 'killed while holding': 0, 'under way but made': 0 };
  const waits = [];
  let next = 0;
  let spare = new Worker('node', options.locker, file, NAME);

  for (let kill = 1; kill <= kills || (kill <= kills + MORE && found.torn === 0); kill++) {
    const writer = spare;
    const started = now();
    await writer.go(next);
    const time = now() - started;
    // The next one starts up meanwhile, which takes longer than all the rest.
    spare = new Worker('node', options.locker, file, NAME);
    const isAimed = kill > kills || Math.random() < options.aimed;
    if (isAimed) whenTorn(file, shortest, 1000, () => writer.kill());
    else await sleep(Math.random() * 2 * time);
    await writer.kill();

    const left = leftBehind(file);
    const db = new QuietDB(file);
    const begin = now();
    const { wait, wasTorn, content } = await db.withLock(async () => ({
      wait: now() - begin,
      wasTorn: isTorn(file),
      content: await db.get().catch((error) => error),
    }));
    waits.push(wait);
    const isUnderWay = stateIs(content, writer.done + 1);
    const holds = isUnderWay || stateIs(content, writer.done);
    const shown = content instanceof Error ? content.message : JSON.stringify(content).slice(-500);
    if (!report.check(holds, `kill ${kill}, after change ${writer.done}: ${shown}`)) break;
    next = writer.done + (isUnderWay ? 2 : 1);

    const isTold = db.warnings.some((words) => words.includes('was interrupted'));
    report.check(wasTorn === isTold, `kill ${kill}: torn is ${wasTorn}, but it warns: ${db.warnings}`);
    report.check(wait <= options.worst, `kill ${kill}, left is ${left}: the next one waited ${wait} ms`);
    report.check(leftBehind(file) === 'nothing', `kill ${kill}: a lock directory is left by a clean release`);
    report.check(left !== 'unmarked', `kill ${kill}: the lock directory that is left has no mark`);
    if (wasTorn) found.torn++;
    if (wasTorn && !isAimed) found['torn by chance']++;
    if (left !== 'nothing') found['killed while holding']++;
    if (isUnderWay) found['under way but made']++;
    report.progress(`${entries} entries: ${kill} of ${kills} kills, torn ${found.torn}`);
  }
  await spare.kill();

  const isProved = found['killed while holding'] > 0 && found.torn > 0;
  report.check(isProved, `${entries} entries: no kill ever hit a holder, or none tore the file`);
  report.check(median(waits) <= options.within, `${entries} entries: the median wait is ${median(waits)} ms`);
  return {
    kills,
    changes: next,

    ...found,
    'next lock ms': tail(waits),
  };
}
