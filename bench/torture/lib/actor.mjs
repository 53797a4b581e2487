import { fileURLToPath } from 'node:url';
import { exited, start } from './children.mjs';
import { nodeArguments } from './locker.mjs';
import { now } from './stats.mjs';

const PROGRAM = fileURLToPath(new URL('./actor-process.mjs', import.meta.url));

/** A process that does to the file what it is told. */
export class Actor {
  #child;
  #asked = 0;
  #waiting = new Map();
  #ready;

  /**
   * @param options - `file`; `lock`, its lock options; `locker`; `user`, as whom it runs; `wrapper`, a program
   * with arguments that starts it; `imports`, modules to load before all else
   */
  static async start({ file, lock = {}, locker = 'koffi', user, wrapper = [], imports = [] }) {
    const actor = new Actor();
    const args = [...imports.flatMap((module) => ['--import', module]), ...nodeArguments(locker)];
    const [command, ...rest] = [...wrapper, process.execPath, ...args, PROGRAM];
    actor.#listen(start(command, [...rest, JSON.stringify({ file, lock, user })], { stdio: STDIO }));
    await actor.#ready;
    return actor;
  }

  get pid() {
    return this.#child.pid;
  }

  /** @throws an Error with the `code` and the message of what was thrown over there */
  ask(command, args = {}) {
    const id = this.#asked++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ id, command, args });
    });
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

  /** @returns when it was gone */
  async kill() {
    this.#child.kill('SIGKILL');
    await exited(this.#child);
    return now();
  }

  #listen(child) {
    this.#child = child;
    this.#ready = new Promise((resolve, reject) => {
      child.on('message', ({ ready, id, value, error }) => {
        if (ready) return resolve();
        const { resolve: done, reject: failed } = this.#waiting.get(id);
        this.#waiting.delete(id);
        if (error) failed(Object.assign(new Error(error.message), { code: error.code }));
        else done(value);
      });
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        const gone = new Error(`the process ended with ${code ?? signal}`);
        reject(gone);
        for (const { reject: failed } of this.#waiting.values()) failed(gone);
        this.#waiting.clear();
      });
    });
    // It may end later than anybody asks.
    this.#ready.catch(() => undefined);
  }
}

const STDIO = ['ignore', 'ignore', 'inherit', 'ipc'];
