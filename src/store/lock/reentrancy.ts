import { AsyncLocalStorage } from 'node:async_hooks';
import type { FileLock } from './file-lock.js';
import { Turns } from './mutex.js';

/** One hold of the lock, or a part of it: what a `withLock` inside it is given to itself. */
export class Hold {
  /** The object whose methods join this hold: two objects have two, even if of the same file. */
  readonly owner: object;
  readonly lock: FileLock;
  /** False as soon as its function has ended: what still runs in its context has no lock. */
  open = true;
  /** Those inside this hold go one after the other, so that their reads and writes never mix. */
  readonly inner = new Turns();

  constructor(owner: object, lock: FileLock) {
    this.owner = owner;
    this.lock = lock;
  }

  async run<T>(fn: () => T | Promise<T>): Promise<T> {
    try {
      return await inside(this, async () => fn());
    } finally {
      this.open = false;
      await this.inner.idle;
    }
  }
}

/** Where an asynchronous context is: inside of a hold, and that perhaps inside of others. */
interface Place {
  hold: Hold;
  around: Place | undefined;
}

/** One for all objects: Node.js before 24 lets every asynchronous step go through all that were ever made. */
const places = new AsyncLocalStorage<Place | undefined>();

/** The innermost hold of an object that this context is inside of; a part that has ended leaves the rest. */
export function openHold(owner: object): Hold | undefined {
  let place = places.getStore();
  while (place !== undefined && !(place.hold.owner === owner && place.hold.open)) place = place.around;
  return place?.hold;
}

/** Runs a function inside of a hold, in addition to those that this context is inside of. */
export function inside<T>(hold: Hold, fn: () => Promise<T>): Promise<T> {
  return places.run({ hold, around: presentPlace() }, fn);
}

/** Runs a function where this context is, less the holds that have ended: one that goes on and on must not keep them all. */
export function outsideOfEnded<T>(fn: () => Promise<T>): Promise<T> {
  return places.run(presentPlace(), fn);
}

function presentPlace(): Place | undefined {
  let place = places.getStore();
  while (place?.hold.open === false) place = place.around;
  for (let at = place; at?.around !== undefined; ) {
    if (at.around.hold.open) at = at.around;
    else at.around = at.around.around;
  }
  return place;
}
