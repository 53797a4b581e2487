import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Actor } from '../../lib/actor.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { lockFiles } from './leftovers.mjs';

const LOCKING_ACTOR = fileURLToPath(new URL('./locking-actor.mjs', import.meta.url));

/** How late a process may be on a busy machine. */
export const SLACK = 2500;
/** By how much the kernel's time of a file may lag behind its clock. */
export const TICK = 10;
/** proper-lockfile dates a new directory up to this much into the future, to learn what the file system keeps. */
export const PROBE = 1005;

/** One file and the processes that quarrel over it. */
export class Scene {
  file;
  options;
  #name;
  #report;
  #actors = [];

  constructor(name, options, report) {
    this.#name = name;
    this.options = options;
    this.#report = report;
    this.file = makeWorkspace().cache();
  }

  write(content) {
    writeFileSync(this.file, JSON.stringify(content));
  }

  get content() {
    return JSON.parse(readFileSync(this.file, 'utf8'));
  }

  /**
   * Starts a process, while nobody has the lock.
   *
   * @param options - `lock`, what differs from the lock options of the whole run; `user`, as whom it runs; `program`,
   * where that user can read it; `wrapper`, a program with arguments that starts it; `imports`, modules to load before all
   * else
   */
  async actor({ lock = {}, user, program = LOCKING_ACTOR, wrapper = [], imports = [] } = {}) {
    const { stale, timeout, locker } = this.options;
    const settings = { file: this.file, lock: { stale, timeout, kernelLock: 'required', ...lock }, user };
    const modules = imports.flatMap((module) => ['--import', module]);
    const node = [process.execPath, ...modules, ...nodeArguments(locker)];
    const [command, ...args] = [...wrapper, ...node, program, JSON.stringify(settings)];
    const actor = await Actor.start(command, args);
    this.#actors.push(actor);
    const { locker: present } = await actor.ask('whoAmI');
    this.check(present === locker, `it locks through ${present}, not ${locker}`);
    // The first time takes longer, and proper-lockfile dates that directory into the future.
    await actor.ask('pass');
    return actor;
  }

  check(holds, violation) {
    return this.#report.check(holds, `${this.#name}: ${violation}`);
  }

  figure(value) {
    this.#report.figure(this.#name, value);
  }

  /** A wait that had to last, but no longer than that. */
  checkWait(wait, least, most) {
    const told = `waited ${Math.round(wait)} ms, which had to be ${Math.round(least)} to ${Math.round(most)}`;
    this.check(wait >= least && wait <= most, told);
    this.check(wait <= this.options.timeout, `${told}, and beyond lock.timeout`);
  }

  /** Ends the processes; whoever has released the lock must have left nothing. */
  async end({ clean = true } = {}) {
    if (clean) this.check(lockFiles(this.file).length === 0, `${lockFiles(this.file)} are left`);
    await Promise.all(this.#actors.map((actor) => actor.kill()));
  }
}
