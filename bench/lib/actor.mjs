import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ended, start } from './children.mjs';

const path = (file) => fileURLToPath(new URL(file, import.meta.url));
const MODEL = path('../reference_model.py');
const OURS = path('./our-actor.mjs');
const WITHOUT_KOFFI = ['--import', path('./without-koffi.mjs')];

/** What can be measured against each other: how each is started. */
const KINDS = {
  reference: { command: 'python3', args: [MODEL] },
  ours: { command: process.execPath, args: [OURS] },
  'ours, flock program': { command: process.execPath, args: [...WITHOUT_KOFFI, OURS] },
  'ours, no kernel lock': { command: process.execPath, args: [OURS], options: { kernelLock: 'off' } },
};

/** A process that does what it is told to the cache and the API, and times it itself. */
export class Actor {
  #child;
  #lines;

  constructor(child) {
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  }

  static async start(kind, { file, port = 0, deviceDir = '/dev/storpool' }) {
    const { command, args, options } = KINDS[kind];
    const more = options === undefined ? [] : [JSON.stringify(options)];
    const stdio = ['pipe', 'pipe', 'inherit'];
    const actor = new Actor(start(command, [...args, file, String(port), deviceDir, ...more], { stdio }));
    await actor.next();
    return actor;
  }

  /** @throws if it fails. */
  async ask(command) {
    const reply = await this.attempt(command);
    if (reply.error !== undefined) throw new Error(`${command.do}: ${reply.error}`);
    return reply;
  }

  /** Has it do something that may fail; the reply tells. */
  attempt(command) {
    this.#child.stdin.write(`${JSON.stringify(command)}\n`);
    return this.next();
  }

  /** The next thing that it says. */
  async next() {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('It has ended');
    return JSON.parse(value);
  }

  async stop() {
    this.#child.stdin.end();
    await ended(this.#child);
  }
}
