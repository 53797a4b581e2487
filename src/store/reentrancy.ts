import { AsyncLocalStorage } from 'node:async_hooks';
import type { FileLock } from './file-lock.js';
import { Queue } from './queue.js';

/** One hold of the lock, or a part of it: each `withLock` inside a hold gets its own part. */
export interface Hold {
  readonly lock: FileLock;
  /** The hold that this is a part of. */
  readonly outer: Hold | undefined;
  /** Calls inside this hold run one after the other, so that their reads and writes do not mix. */
  readonly queue: Queue;
  /** `false` once its function has ended: code that still runs in its context no longer has the lock. */
  isOpen: boolean;
}

/**
 * The holds of an asynchronous context, by object: two objects have two holds, even of the same file. All objects share
 * one storage, because before Node.js 24, each asynchronous step visits every storage that was ever made.
 */
const holds = new AsyncLocalStorage<ReadonlyMap<object, Hold>>();

/** The innermost open hold of an object in this context. */
export function currentHold(owner: object): Hold | undefined {
  let hold = holds.getStore()?.get(owner);
  while (hold?.isOpen === false) hold = hold.outer;
  return hold;
}

/**
 * Runs a function inside a hold, and waits for the calls that it starts there. Only what others have written needs that:
 * once anything runs here, each asynchronous step of the process takes longer, before Node.js 24.
 */
export async function runInHold<T>(owner: object, lock: FileLock, fn: () => T | Promise<T>): Promise<T> {
  const hold: Hold = { lock, outer: currentHold(owner), queue: new Queue(), isOpen: true };
  // Without holds that have ended, which a long chain of contexts would collect.
  const inside = new Map<object, Hold>();
  for (const other of holds.getStore()?.keys() ?? []) {
    const open = currentHold(other);
    if (open !== undefined) inside.set(other, open);
  }
  try {
    return await holds.run(inside.set(owner, hold), async () => fn());
  } finally {
    hold.isOpen = false;
    await hold.queue.enter();
  }
}
