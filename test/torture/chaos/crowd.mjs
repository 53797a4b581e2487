import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SPLockedJSONDB } from '../../../build/index.js';
import { closed, onLines, start } from '../../lib/children.mjs';
import { nodeArguments } from '../../lib/locker.mjs';
import { now } from '../../lib/stats.mjs';
import { makeWorkspace } from '../../lib/workspace.mjs';
import { whenTorn } from '../lib/aim.mjs';
import { seed } from '../lib/changes.mjs';
import { lockFiles } from '../lib/leftovers.mjs';

const pathOf = (name) => fileURLToPath(new URL(name, import.meta.url));
const NODE = pathOf('./node-service.mjs');
const PYTHON = pathOf('../python/service.py');
/** Between two kills at the most; a process needs a part of it to start. Milliseconds. */
const PAUSE = 1000;
/** How long to look for a torn file, which keeps a core busy. Milliseconds. */
const PATIENCE = 100;

/** Node.js processes and Python services at work on one file, and what they have acknowledged. */
export class Crowd {
  failures = new Set();
  #options;
  #file;
  /** A file shorter than that is torn. */
  #torn;
  #services = [];
  #started = 0;
  #kills = { node: 0, python: 0 };
  /** When Python services were killed. */
  #pythonKills = [];
  /** How often a restore from a copy that may be old was seen. */
  #notes = 0;
  /** What was added, and when a Python service acknowledged it. */
  #added = { node: new Map(), python: new Map() };
  #removing = new Set();
  #removed = new Set();
  /** When accesses of Node.js processes that were acknowledged began, and when that was heard of. */
  #accesses = [];

  constructor(options) {
    this.#options = options;
    const content = JSON.stringify(seed(options.entries));
    this.#file = makeWorkspace().cache(content);
    this.#torn = content.length / 2;
    for (const kind of ['node', 'python']) for (let nr = 0; nr < options[kind]; nr++) this.#start(kind);
  }

  get progress() {
    const { node, python } = this.#added;
    return `${this.#kills.node} and ${this.#kills.python} kills, ${node.size} and ${python.size} changes`;
  }

  #start(kind) {
    const name = `${kind}${this.#started++}`;
    const [command, ...args] =
      kind === 'node'
        ? [process.execPath, ...nodeArguments(this.#options.locker), NODE, this.#file, name]
        : ['python3', PYTHON, this.#file, 'work', name];
    const child = start(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const service = { kind, child, closed: closed(child) };
    onLines(child.stdout, (line) => this.#hear(kind, JSON.parse(line)));
    this.#services.push(service);
  }

  #hear(kind, { start, at, added, removing, removed, failed }) {
    if (failed) this.failures.add(failed);
    if (added) this.#added[kind].set(added, at);
    if (removing) this.#removing.add(removing);
    if (removed) this.#removed.add(removed);
    if (kind === 'node' && start) this.#accesses.push({ start, heard: now() });
  }

  /** One after a while, or several at once, just while the file is torn. */
  async killSome() {
    // Until a Node.js process has written the file there is no copy, and nothing could be restored.
    while (this.#added.node.size === 0) await sleep(20);
    await sleep(Math.random() * PAUSE);
    const isAimed = Math.random() < this.#options.aimed;
    if (isAimed) whenTorn(this.#file, this.#torn, PATIENCE, () => undefined);
    const some = Array.from({ length: isAimed ? Math.ceil(this.#services.length / 2) : 1 }, () => {
      return this.#services.splice(Math.floor(Math.random() * this.#services.length), 1);
    }).flat();
    await Promise.all(some.map((service) => this.#kill(service)));
    for (const { kind } of some) this.#start(kind);
    if (!existsSync(`${this.#file}.restored`)) return;
    // An operator has looked.
    this.#notes++;
    rmSync(`${this.#file}.restored`, { force: true });
  }

  async #kill({ kind, child, closed: gone }) {
    const begin = now();
    child.kill('SIGKILL');
    await gone;
    this.#kills[kind]++;
    if (kind === 'python') this.#pythonKills.push({ begin, end: now() });
  }

  async end() {
    for (const service of this.#services.splice(0)) await this.#kill(service);
  }

  async judge(report) {
    const db = new SPLockedJSONDB(this.#file);
    db.warn = () => undefined;
    const content = await db.get();
    if (existsSync(`${this.#file}.restored`)) this.#notes++;
    const { node, python } = this.#added;
    const lost = [...node.keys()].filter((key) => !(key in content) && !this.#removing.has(key));
    report.check(lost.length === 0, `lost of Node.js: ${lost.slice(0, 5)}`);
    const back = [...this.#removed].filter((key) => key in content);
    report.check(back.length === 0, `removed, and there again: ${back.slice(0, 5)}`);
    const missing = Object.keys(seed(this.#options.entries)).filter((key) => !(key in content));
    report.check(missing.length === 0, `lost of what was there before: ${missing.slice(0, 5)}`);
    const gone = [...python].filter(([key]) => !(key in content));
    const bad = gone.filter(([, at]) => !this.#mayBeLost(at));
    report.check(bad.length === 0, `lost of Python: ${bad.slice(0, 5)}`);
    report.check(gone.length === 0 || this.#notes > 0, 'changes of Python are lost, and no note said so');
    report.check(lockFiles(this.#file).length === 0, `${lockFiles(this.#file)} are left`);
    report.check(node.size > 0 && python.size > 0, `only ${this.progress}`);
    report.figure('kills', this.#kills);
    report.figure('acknowledged', {
      'of Node.js': node.size,
      removed: this.#removed.size,
      'of Python': python.size,
    });
    report.figure('lost', {
      'of Node.js': lost.length,
      'of Python, with a note': gone.length,
      notes: this.#notes,
    });
  }

  /** Whether a Python service was killed after the change and before the next access of a Node.js process was over. */
  #mayBeLost(at) {
    const saved = Math.min(...this.#accesses.filter(({ start }) => start > at).map(({ heard }) => heard));
    return this.#pythonKills.some(({ begin, end }) => end > at && begin < saved);
  }
}
