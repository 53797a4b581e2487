// A process that takes the lock, keeps it, blocks, writes and releases as it is told.
import { AsyncLocalStorage } from 'node:async_hooks';
import { lock as plainLock } from 'proper-lockfile';
import { act } from '../../lib/act.mjs';
import { presentLocker } from '../../lib/locker.mjs';
import { now } from '../../lib/stats.mjs';
import { QuietDB } from './file.mjs';

const { file, lock, user } = JSON.parse(process.argv[2]);
const locker = await presentLocker();
if (user !== undefined) {
  // Only now, since this user may not be allowed to read the package.
  process.setgroups(user.groups);
  process.setgid(user.gid);
  process.setuid(user.uid);
}

const db = new QuietDB(file, lock);
let hold;
let unlockPlain;
/** In the hold, if there is one. */
const inside = (fn) => (hold ? hold.inside(fn) : fn());

act({
  whoAmI: () => ({ locker, pid: process.pid, uid: process.getuid() }),

  /** Takes the lock and keeps it. @returns when it had it */
  ourHold: () =>
    new Promise((resolve, reject) => {
      const ended = db.withLock(
        () =>
          new Promise((release) => {
            hold = { release, ended, inside: AsyncLocalStorage.snapshot() };
            resolve({ at: now() });
          }),
      );
      ended.catch(reject);
    }),
  ourRelease: async () => {
    const { release, ended } = hold;
    hold = undefined;
    release();
    await ended;
  },
  /** Takes the lock and releases it. @returns when it had it */
  pass: () => db.withLock(() => ({ at: now() })),

  add: ({ key, value }) => inside(() => db.add(key, value)),
  get: () => inside(() => db.get()),

  /** Nothing in this process goes on meanwhile, no timer and no input. */
  block: ({ ms }) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),

  /** As any program that uses proper-lockfile and knows nothing of us. */
  plainHold: async () => {
    const retries = { forever: true, minTimeout: 20, maxTimeout: 20 };
    unlockPlain = await plainLock(file, { realpath: false, retries, onCompromised: () => undefined });
  },
  plainRelease: () => unlockPlain(),

  warnings: () => db.warnings,
});
