import { AsyncLocalStorage } from 'node:async_hooks';
import type { FileLock } from './file-lock.js';
import { Mutex } from './mutex.js';

/** One hold of the lock, or a part of it: a `withLock` inside it is given a part of its own. */
export class Hold {
  readonly lock: FileLock;
  /** The hold that this is a part of. */
  readonly outer: Hold | undefined;
  /** Those inside this hold go one after the other, so that their reads and writes never mix. */
  readonly mutex = new Mutex();
  /** Until its function has ended: what still runs in its context then has no lock. */
  isOpen = true;

  constructor(lock: FileLock, outer: Hold | undefined) {
    this.lock = lock;
    this.outer = outer;
  }
}

/**
 * The holds that a context is inside of, by the objects whose they are: two objects have two, even of the same file.
 * One storage for all objects, because before Node.js 24 every asynchronous step goes through all that were ever made.
 */
const holds = new AsyncLocalStorage<ReadonlyMap<object, Hold>>();

/** The innermost open hold of an object in this context. */
export function currentHold(owner: object): Hold | undefined {
  let hold = holds.getStore()?.get(owner);
  while (hold?.isOpen === false) hold = hold.outer;
  return hold;
}

/** Runs a function inside a hold; those that it starts there are waited for, too. */
export async function runInHold<T>(owner: object, lock: FileLock, fn: () => T | Promise<T>): Promise<T> {
  const hold = new Hold(lock, currentHold(owner));
  // A context that goes on from hold to hold must not keep those that have ended.
  const inside = new Map<object, Hold>();
  for (const other of holds.getStore()?.keys() ?? []) {
    const open = currentHold(other);
    if (open !== undefined) inside.set(other, open);
  }
  try {
    return await holds.run(inside.set(owner, hold), async () => fn());
  } finally {
    hold.isOpen = false;
    await hold.mutex.acquire();
  }
}
