import { AsyncResource } from 'node:async_hooks';
// Not the global one, which fake timers replace: this is no wait that a test could have in mind.
import { setImmediate } from 'node:timers';
import { onAbort } from '../async/abort.js';
import { NOT_NEEDED } from '../store/lock/with-file-lock.js';
import { SPLockedFileError } from '../store/sp-locked-file-error.js';

/** How long the members may keep the event loop, as far as it lies with the group. Milliseconds. */
const LONGEST_TURN = 5;

/** What a member does under the lock, with what the members share. */
type Work<S, T> = (shared: S) => Promise<T>;

/** Does the work of a member. @returns what settles its call */
type Member<S> = (shared: S) => Promise<() => void>;

/**
 * Calls that wait for a lock at the same time. Each waits for itself, for as long as it will and until its signal is
 * aborted; the first that gets the lock does the work of all that still wait then, and those need not wait any more.
 */
export class SyncGroup<S> {
  readonly #waiting = new Set<Member<S>>();
  #settleLast: () => void = () => undefined;
  #isLost = false;

  /**
   * @param lock - waits for the lock, calls {@link run} under it and gives it back
   * @throws what `work` throws; what `lock` throws, or the signal's reason, while it waits
   */
  join<T>(work: Work<S, T>, lock: (signal: AbortSignal) => Promise<void>, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const wait = new AbortController();
      const stopListening = onAbort(signal, () => wait.abort(signal?.reason));
      const leave = () => {
        stopListening();
        return this.#waiting.delete(member);
      };
      // In the asynchronous context of its caller, whoever it is that has the lock.
      const member: Member<S> = AsyncResource.bind(async (shared: S) => {
        leave();
        wait.abort(NOT_NEEDED);
        try {
          const result = await work(shared);
          return () => resolve(result);
        } catch (error) {
          if (error instanceof SPLockedFileError && error.code === 'ECOMPROMISED') this.#isLost = true;
          return () => reject(error);
        }
      });
      this.#waiting.add(member);
      lock(wait.signal)
        .catch((error: unknown) => {
          if (leave()) reject(error);
        })
        .finally(() => this.#settleLast());
    });
  }

  /** Under the lock: does the work of all, one after the other. The last learns of it when the lock is given back. */
  async run(shared: S): Promise<void> {
    this.#isLost = false;
    let since = performance.now();
    for (const member of this.#waiting) {
      // Those who are left wait for a lock of their own.
      if (this.#isLost) break;
      this.#settleLast();
      this.#settleLast = await member(shared);
      if (performance.now() - since < LONGEST_TURN) continue;
      // A member for whom there is nothing to be asked and written awaits nothing that lets others in between.
      await new Promise((resolve) => setImmediate(resolve));
      since = performance.now();
    }
  }
}
