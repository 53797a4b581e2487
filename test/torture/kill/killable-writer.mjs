import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { closed, ended, onLines, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { now } from '../../lib/stats.mjs';

const PROGRAM = fileURLToPath(new URL('./writer.mjs', import.meta.url));
const PATIENCE = 60_000;

/** A process that makes one change after the other, until it is killed. */
export class KillableWriter {
  #child;
  #closed;
  #first;
  #onFirst;
  /** The number of the last acknowledged change, and when the first and the last came. */
  done;
  times = [];

  constructor(file, entries, { stale, locker }) {
    const args = [...nodeArguments(locker), PROGRAM, file, String(entries), String(stale)];
    this.#child = start(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#child.stdin.on('error', () => undefined);
    this.#closed = closed(this.#child);
    this.#first = new Promise((resolve) => {
      this.#onFirst = resolve;
    });
    onLines(this.#child.stdout, (line) => {
      this.done = Number(line);
      this.times.push(now());
      this.#onFirst();
    });
  }

  /** Starts with that change; resolves when it is acknowledged. */
  async go(n) {
    this.#child.stdin.write(`${n}\n`);
    await Promise.race([this.#first, this.#closed, sleep(PATIENCE, undefined, { ref: false })]);
    if (this.done === undefined) throw new Error('a writer did not get through its first change');
  }

  kill = () => this.#child.kill('SIGKILL');
  ended = () => ended(this.#child);
  /** Everything that was acknowledged has been read by then. */
  closed = () => this.#closed;
}
