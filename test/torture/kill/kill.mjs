import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now, quantile, rounded, tail } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { whenTorn } from '../lib/aim.mjs';
import { apply, change, differences, seed } from '../lib/changes.mjs';
import { leftBehind, lockFiles } from '../lib/leftovers.mjs';
import { program } from '../lib/program.mjs';
import { KillableWriter } from './killable-writer.mjs';
import { Reader } from './reader.mjs';

program(
  {
    name: 'kill',
    about: `Kills writers at random moments and looks, after each kill, whether the file holds every change that
was acknowledged and none that was not begun, and how long the next process waits for the lock.`,
    options: {
      kills: { default: 2000, help: 'how many kills, over all sizes' },
      entries: { default: [50, 2000, 20000], help: 'sizes of the file' },
      aimed: { default: 0.25, help: 'the part of the kills that is aimed at the write in place' },
      spread: { default: 3, help: 'the others come at random within so many changes' },
      stale: { default: 10_000, help: 'ms until a lock directory without a record is taken over' },
      within: { default: 50, help: 'ms within which the next process has the lock, as a median' },
      worst: { default: 1500, help: 'ms within which it always has it, if the record was written' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the writers take the kernel lock' },
    },
  },
  async (options, report) => {
    const { dir } = makeWorkspace();
    for (const [index, entries] of options.entries.entries()) {
      const share = (at) => Math.round((options.kills * at) / options.entries.length);
      const kills = share(index + 1) - share(index);
      await tortureFile(join(dir, `${entries}.json`), entries, kills, options, report);
    }
  },
);

/** So many aimed kills more, at most, until one of them has torn the file: on a busy machine they come late. */
const MORE = 50;

async function tortureFile(file, entries, kills, options, report) {
  const state = seed(entries);
  writeFileSync(file, JSON.stringify(state));
  const shortest = JSON.stringify(state).length / 2;

  const waits = [];
  const unrecordedWaits = [];
  const changeTimes = [];
  const found = { torn: 0, tornUnaimed: 0, aimed: 0, lost: 0, unfinishedKept: 0, leftover: 0 };
  let next = 0;
  let spare = new KillableWriter(file, entries, options);

  const isEnough = () => options.aimed === 0 || found.torn > 0;
  for (let kill = 1; kill <= kills || (kill <= kills + MORE && !isEnough()); kill++) {
    const writer = spare;
    await writer.go(next);
    // The next one starts up meanwhile, which takes longer than all the rest.
    spare = new KillableWriter(file, entries, options);

    const aimed = kill > kills || Math.random() < options.aimed;
    if (aimed) {
      found.aimed++;
      whenTorn(file, shortest, 1000, writer.kill);
    } else {
      const oneChange = changeTimes.length === 0 ? 10 : quantile(changeTimes, 0.5);
      await preciseSleep(Math.random() * options.spread * oneChange);
    }
    writer.kill();
    await writer.ended();

    const killed = now();
    const left = leftBehind(file);
    const db = new Reader(file, { stale: options.stale });
    const { content, torn, wait } = await db.withLock(async () => {
      const wait = now() - killed;
      const raw = readFileSync(file, 'utf8');
      return { wait, torn: !isJSON(raw), content: await db.get().catch((error) => error) };
    });
    await writer.closed();
    for (const [index, time] of writer.times.entries()) {
      if (index > 0 && changeTimes.length < 1000) changeTimes.push(time - writer.times[index - 1]);
    }

    for (; next <= writer.done; next++) apply(state, change(next, entries));
    if (
      !report.check(!(content instanceof Error), `after kill ${kill} nobody can read it: ${content.message}`)
    ) {
      break;
    }
    let wrong = differences(state, content);
    if (wrong.length > 0) {
      // The change that was under way may have been made just as well, but whole and nothing beyond it.
      const under = change(next, entries);
      if (wrong.includes(under.key)) {
        apply(state, under);
        next++;
        wrong = differences(state, content);
        found.unfinishedKept++;
      }
    }
    found.lost += wrong.length;
    report.check(wrong.length === 0, `kill ${kill}, ${entries} entries: wrong are ${wrong.slice(0, 5)}`);
    if (wrong.length > 0) break;

    report.check(
      torn === db.warnings.length > 0,
      `kill ${kill}: torn is ${torn}, but the warnings are ${db.warnings}`,
    );
    if (torn) found.torn++;
    if (torn && !aimed) found.tornUnaimed++;
    if (left !== 'nothing') found.leftover++;
    if (left === 'unrecorded') {
      unrecordedWaits.push(wait);
      report.check(wait <= options.stale + 2500, `waited ${wait} ms for a directory without a record`);
    } else {
      waits.push(wait);
      report.check(
        wait <= options.worst,
        `kill ${kill}, ${left} left behind: the next one waited ${wait} ms`,
      );
    }
    report.check(lockFiles(file).length === 0, `kill ${kill}: ${lockFiles(file)} left by a clean release`);
    report.progress(`${entries} entries: ${kill} of ${kills} kills, torn ${found.torn}, lost ${found.lost}`);
  }
  spare.kill();
  await spare.closed();

  const name = `${entries} entries`;
  if (kills > 0) {
    report.check(found.leftover > 0, `${name}: no kill ever hit a holder, so nothing is proved`);
    report.check(isEnough(), `${name}: no kill ever tore the file, so nothing is proved`);
  }
  const median = quantile(waits, 0.5);
  report.check(median <= options.within, `${name}: the median wait is ${median} ms`);
  report.figure(name, {
    kills,
    changes: next,
    'ms a change': rounded(quantile(changeTimes, 0.5)),
    torn: `${found.torn} (${found.tornUnaimed} of them of the ${kills - found.aimed} that were not aimed)`,
    'killed while holding': found.leftover,
    'under way but made': found.unfinishedKept,
    'keys lost': found.lost,
    'next lock ms': tail(waits),
    'directory without record': unrecordedWaits.length,
    'its longest wait ms': rounded(quantile(unrecordedWaits, 1)),
  });
}

function isJSON(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Timers know whole milliseconds only, and a change takes but a few. */
async function preciseSleep(ms) {
  const end = performance.now() + ms;
  if (ms > 2) await sleep(ms - 2);
  while (performance.now() < end);
}
