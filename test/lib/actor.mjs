import { closed, ended, onLines, start } from './children.mjs';

/**
 * A process that does what it is told: commands go to its stdin, answers come from its stdout, each a line of JSON.
 * The side of the process is `act.mjs`, or bench/reference.py.
 */
export class Actor {
  #child;
  #asked = 0;
  #waiting = new Map();

  constructor(child) {
    this.#child = child;
    // A command to one that has just ended fails with it.
    child.stdin.on('error', () => undefined);
    onLines(child.stdout, (line) => this.#settle(JSON.parse(line)));
    closed(child).then(
      ({ code, signal }) => this.#fail(new Error(`The process ended with ${code ?? signal}`)),
      this.#fail,
    );
  }

  /** Resolves once the process is ready. */
  static async start(command, args) {
    const actor = new Actor(start(command, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    await actor.#answer('ready');
    return actor;
  }

  get pid() {
    return this.#child.pid;
  }

  /** @throws an Error with the `code` and the message of what was thrown over there */
  ask(command, args = {}) {
    const id = this.#asked++;
    this.#child.stdin.write(`${JSON.stringify({ id, command, args })}\n`);
    return this.#answer(id);
  }

  /** As {@link ask}, for a command that is to fail: resolves with the error. */
  refuse(command, args) {
    return this.ask(command, args).then(
      () => new Error('it was not refused'),
      (error) => error,
    );
  }

  signal(name) {
    this.#child.kill(name);
  }

  async kill() {
    this.#child.kill('SIGKILL');
    await ended(this.#child);
  }

  /** Lets it end by itself. */
  async stop() {
    this.#child.stdin.end();
    await ended(this.#child);
  }

  #answer(id) {
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
  }

  #settle({ id, value, error }) {
    const { resolve, reject } = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error) reject(Object.assign(new Error(error.message), { code: error.code }));
    else resolve(value);
  }

  #fail = (error) => {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  };
}
