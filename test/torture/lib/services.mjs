import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { closed, onLines, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));

/** The command that starts a service: `node` or `python`, which understand the same arguments. */
export const service = (kind, locker, ...args) => [
  ...(kind === 'node' ? [process.execPath, ...nodeArguments(locker)] : ['python3']),
  pathOf(kind === 'node' ? './service.mjs' : './service.py'),
  ...args.map(String),
];

export const hasPython = () => spawnSync('python3', ['--version']).status === 0;

/** Runs a command to its end. @returns the line of JSON that it printed last, or nothing */
export async function run([command, ...args], options = {}) {
  const child = start(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  let last;
  onLines(child.stdout, (line) => {
    last = JSON.parse(line);
  });
  await closed(child);
  return last;
}

/** A service that makes the changes of a series until it is killed. */
export class Worker {
  /** The number of the last change that it has acknowledged; before the first, one less than it began with. */
  done;
  /** What failed: messages by code. */
  failed = new Map();
  #child;
  #closed;
  #onDone;

  /** @param pause - milliseconds between its changes, on average */
  constructor(kind, locker, file, name, pause = 0) {
    this.kind = kind;
    this.name = name;
    const [command, ...args] = service(kind, locker, file, 'work', name, pause);
    this.#child = start(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    // It may be killed before it has read.
    this.#child.stdin.on('error', () => undefined);
    this.#closed = closed(this.#child);
    onLines(this.#child.stdout, (line) => {
      const { done, failed } = JSON.parse(line);
      if (failed) return this.failed.set(failed.code, failed.message);
      this.done = done;
      return this.#onDone();
    });
  }

  /** Starts with that change; resolves when it is acknowledged. */
  async go(n) {
    this.done = n - 1;
    const isDone = new Promise((resolve) => {
      this.#onDone = resolve;
    });
    this.#child.stdin.write(`${n}\n`);
    await Promise.race([isDone, this.#closed]);
  }

  /** Resolves when it is dead, and all that it acknowledged has been read. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }
}
