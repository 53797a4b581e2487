import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { closed, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { now, rounded } from '../../lib/stats.mjs';
import { program } from '../lib/program.mjs';
import { Scene } from '../lib/scene.mjs';

const CYCLES = fileURLToPath(new URL('./cycles.mjs', import.meta.url));
const ENDS_WITHIN = 2000;

program(
  {
    name: 'leaks',
    about: `Takes and releases the lock many times, and gives up waiting for it many times, and looks whether
descriptors, memory, children, timers or files are left over.`,
    options: {
      cycles: { default: 10_000, help: 'how often a key is added and removed again' },
      refused: { default: 1000, help: 'how often a wait is given up' },
      'warm-up': { default: 500, help: 'cycles before the first look' },
      growth: { default: 1024, help: 'KiB by which the heap may have grown' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
    },
  },
  async (options, report) => {
    const settings = { ...options, stale: 10_000, timeout: 15_000 };
    const scene = new Scene('files', settings, report);
    const blocked = new Scene('held file', settings, report);
    const holder = await blocked.actor();
    await holder.ask('hold');

    const { result, ended, code } = await run(scene.file, blocked.file, options, report);
    await holder.ask('release');
    report.check(code === 0, `the process ended with ${code}`);
    report.check(ended < ENDS_WITHIN, `something kept the process going for ${Math.round(ended)} ms`);
    if (result) compare(result, options, report);

    const name = basename(scene.file);
    const left = readdirSync(dirname(scene.file));
    const strange = left.filter((found) => found !== name && found !== `${name}.backup`);
    report.check(strange.length === 0, `${strange} are left beside the file`);
    report.figure('ends by itself after ms', rounded(ended));
    await scene.end();
    await blocked.end();
  },
);

async function run(file, heldFile, options, report) {
  const { cycles, refused, locker } = options;
  const settings = { file, heldFile, cycles, refused, warmUp: options['warm-up'] };
  const args = ['--expose-gc', ...nodeArguments(locker), CYCLES, JSON.stringify(settings)];
  const child = start(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  let result;
  let done;
  child.on('message', (message) => {
    if (message.progress !== undefined) return report.progress(`${message.progress}`);
    result = message;
    done = now();
    // One that does not end by itself must be ended all the same.
    setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN * 2).unref();
  });
  const { code, signal } = await closed(child);
  return { result, ended: now() - done, code: code ?? signal };
}

function compare({ locker, before, between, after, problems }, options, report) {
  report.check(locker === options.locker, `it locks through ${locker}, not ${options.locker}`);
  report.check(problems.length === 0, `${problems.length} problems, as ${problems[0]}`);
  for (const [when, { descriptors, children, resources, heap }] of Object.entries({ between, after })) {
    report.check(
      descriptors <= before.descriptors,
      `${when}: ${descriptors} descriptors, not ${before.descriptors}`,
    );
    report.check(children === '', `${when}: children ${children} are left`);
    report.check(resources.length === 0, `${when}: ${resources} are left`);
    const grown = (heap - before.heap) / 1024;
    report.check(grown <= options.growth, `${when}: the heap has grown by ${Math.round(grown)} KiB`);
  }
  const kib = ({ heap }) => Math.round((heap - before.heap) / 1024);
  report.figure(
    'descriptors',
    `${before.descriptors}, then ${between.descriptors}, then ${after.descriptors}`,
  );
  report.figure('heap grown by KiB', `${kib(between)} after the cycles, ${kib(after)} after the refusals`);
  report.figure('external memory grown by KiB', Math.round((after.external - before.external) / 1024));
}
