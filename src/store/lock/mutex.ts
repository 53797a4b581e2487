import { onAbort } from '../../async/abort.js';

/** Lets one caller in at a time, first come, first served. */
export class Mutex {
  /** Lets each waiter in, in their order. */
  readonly #waiting = new Set<() => void>();
  #isTaken = false;

  /** Whether nobody has it or waits for it. */
  get isFree(): boolean {
    return !this.#isTaken;
  }

  /** @throws the signal's reason when it is aborted first */
  acquire(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (!this.#isTaken) {
        this.#isTaken = true;
        return resolve();
      }
      const enter = () => {
        stopListening();
        resolve();
      };
      const stopListening = onAbort(signal, () => {
        stopListening();
        this.#waiting.delete(enter);
        reject(signal?.reason);
      });
      this.#waiting.add(enter);
    });
  }

  release(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#isTaken = false;
    } else {
      this.#waiting.delete(next);
      next();
    }
  }
}
