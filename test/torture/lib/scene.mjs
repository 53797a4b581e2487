import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Actor } from '../../lib/actor.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { leftBehind } from './file.mjs';

const LOCKING_ACTOR = fileURLToPath(new URL('./locking-actor.mjs', import.meta.url));

/** How late a process may be on a busy machine. Milliseconds. */
export const SLACK = 2500;

/** The option with which one scene is chosen. */
export const only = (plays) => ['', 'one scene', ['', ...Object.keys(plays)]];

/** A run of scenes, all or one, so many at a time, if that is possible here. A scene returns its figures, or `{ skipped }`. */
export const playing =
  (plays, isPossible = true, reason = '') =>
  async (options, report) => {
    if (!isPossible) return report.skip(reason);
    const left = Object.entries(plays).filter(([name]) => ['', name].includes(options.only));
    const playSome = async () => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const [name, play] = next;
        const scene = new Scene(name, options, report);
        scene.progress('begins');
        const figures = await play(scene).catch((error) => scene.check(false, error.stack));
        if (figures.skipped) report.skip(`${name}: ${figures.skipped}`);
        report.figure(name, figures);
        await scene.end();
      }
    };
    return Promise.all(Array.from({ length: options.together ?? 1 }, playSome));
  };

/** One file, and the processes that quarrel over it. */
export class Scene {
  file = makeWorkspace().cache();
  options;
  #name;
  #report;
  #actors = [];

  constructor(name, options, report) {
    this.#name = name;
    this.#report = report;
    this.options = options;
  }

  write(content) {
    writeFileSync(this.file, JSON.stringify(content));
  }

  get content() {
    return JSON.parse(readFileSync(this.file, 'utf8'));
  }

  check(holds, violation) {
    return this.#report.check(holds, `${this.#name}: ${violation}`);
  }

  progress(message) {
    this.#report.progress(`${this.#name}: ${message}`);
  }

  /** A wait that had to last, but no longer than that. */
  checkWait(wait, least, most) {
    const bounds = `${Math.round(least)} to ${Math.round(most)}`;
    this.check(wait >= least && wait <= most, `waited ${Math.round(wait)} ms, which had to be ${bounds}`);
  }

  /**
   * Starts a process, while nobody has the lock: with these lock options, as that user, from where that one can read the
   * program, started by another program, with modules that are loaded before all else.
   */
  async actor({ lock = {}, user, program = LOCKING_ACTOR, wrapper = [], imports = [] } = {}) {
    const settings = { file: this.file, lock: { kernelLock: 'required', ...lock }, user };
    const modules = imports.flatMap((module) => ['--import', module]);
    const node = [process.execPath, ...modules, ...nodeArguments(this.options.locker)];
    const [command, ...args] = [...wrapper, ...node, program, JSON.stringify(settings)];
    const actor = await Actor.start(command, args);
    this.#actors.push(actor);
    const { locker } = await actor.ask('whoAmI');
    this.check(locker === this.options.locker, `it locks through ${locker}, not ${this.options.locker}`);
    // The first time takes longer, and proper-lockfile dates that directory into the future.
    await actor.ask('pass');
    return actor;
  }

  /** Whoever has released the lock must have left nothing. */
  async end() {
    this.check(leftBehind(this.file) === 'nothing', 'a lock directory is left');
    await Promise.all(this.#actors.map((actor) => actor.kill()));
  }
}
