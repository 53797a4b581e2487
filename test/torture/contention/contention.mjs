import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { closed, onLines, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { tail } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { lockFiles } from '../lib/leftovers.mjs';
import { program } from '../lib/program.mjs';

const CONTENDER = fileURLToPath(new URL('./contender.mjs', import.meta.url));
const PYTHON_WRITER = fileURLToPath(new URL('./python_writer.py', import.meta.url));
const LOOK = 500;

program(
  {
    name: 'contention',
    about: `Lets Python processes, which lock as the Python services do, and Node.js processes change one file all at
once, and looks whether every change is in the file at the end.`,
    options: {
      python: { default: 4, help: 'how many Python processes' },
      node: { default: 4, help: 'how many Node.js processes' },
      changes: { default: 200, help: 'how many changes each of them makes' },
      pause: { default: 5, help: 'ms on average that each pauses after a change' },
      interpreter: { default: 'python3', help: 'the Python to use' },
      locker: {
        default: 'mixed',
        choices: ['koffi', 'flock', 'mixed'],
        help: 'how the Node.js processes take the kernel lock; mixed: one half each',
      },
    },
  },
  async (options, report) => {
    const file = makeWorkspace().cache();
    writeFileSync(file, '{}');
    const contenders = [
      ...Array.from({ length: options.python }, (_, index) => startPython(file, `python${index}`, options)),
      ...Array.from({ length: options.node }, (_, index) => startNode(file, `node${index}`, index, options)),
    ];
    const whole = contenders.length * options.changes;
    const looking = setInterval(() => report.progress(`${keysIn(file)} of ${whole} changes`), LOOK);
    // One that could not start is never ready; its result says so.
    await Promise.all(contenders.map(({ ready, result }) => Promise.race([ready, result])));
    for (const { child } of contenders) child.stdin.write('go\n');
    const results = await Promise.all(contenders.map((contender) => contender.result));
    clearInterval(looking);

    const content = JSON.parse(readFileSync(file, 'utf8'));
    const wanted = contenders.flatMap(({ name }) =>
      Array.from({ length: options.changes }, (_, index) => `${name}-${index}`),
    );
    const missing = wanted.filter((key) => content[key]?.by !== key.split('-')[0]);
    report.check(missing.length === 0, `${missing.length} changes are lost: ${missing.slice(0, 5)}`);
    const found = Object.keys(content).length;
    report.check(found === whole, `${found} keys in the file, not ${whole}`);
    report.check(lockFiles(file).length === 0, `${lockFiles(file)} are left`);
    for (const [index, { name, locker }] of contenders.entries()) {
      const result = results[index];
      if (!report.check(!(result instanceof Error), `${name}: ${result.message}`)) continue;
      report.check(result.locker === locker, `${name} locks through ${result.locker}, not ${locker}`);
      report.check(result.gaveUp === 0, `${name} gave up ${result.gaveUp} times`);
    }
    report.figure('keys', `${found} of ${whole}`);
    for (const kind of new Set(contenders.map(({ kind }) => kind))) {
      const waits = results
        .filter((_, index) => contenders[index].kind === kind)
        .flatMap(({ waits }) => waits ?? []);
      report.figure(`wait of ${kind} ms`, tail(waits));
    }
    report.check(
      // Otherwise they went one after the other and met nobody.
      contenders.length < 2 || results.some(({ waits }) => waits?.some((wait) => wait > 5)),
      'nobody ever waited for anybody',
    );
  },
);

function keysIn(file) {
  try {
    return Object.keys(JSON.parse(readFileSync(file, 'utf8'))).length;
  } catch {
    // Read without a lock, in the middle of a write.
    return 'some';
  }
}

function startPython(file, name, { changes, pause, interpreter }) {
  const args = [PYTHON_WRITER, file, name, String(changes), String(pause)];
  return { name, kind: 'Python', locker: undefined, ...run(interpreter, args) };
}

function startNode(file, name, index, { changes, pause, locker }) {
  const own = locker === 'mixed' ? ['koffi', 'flock'][index % 2] : locker;
  const args = [...nodeArguments(own), CONTENDER, file, name, String(changes), String(pause)];
  return { name, kind: `Node.js with ${own}`, locker: own, ...run(process.execPath, args) };
}

/** Starts a contender; its result is what it printed, or the error that it ended with. */
function run(command, args) {
  const child = start(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.on('error', () => undefined);
  let last = '';
  const ready = new Promise((resolve) => {
    onLines(child.stdout, (line) => {
      last = line;
      resolve();
    });
  });
  const result = closed(child).then(
    ({ code, signal }) => (code === 0 ? JSON.parse(last) : new Error(`it ended with ${code ?? signal}`)),
    (error) => error,
  );
  return { child, ready, result };
}
