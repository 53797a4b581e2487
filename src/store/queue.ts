import { onAbort } from '../async/abort.js';
import { afterRealTime } from '../async/event-loop.js';

/** Lets one caller in at a time, first come, first served. */
export class Queue {
  /** Lets each waiter in, in their order. */
  readonly #waiting = new Set<() => void>();
  #isTaken = false;

  /** Whether somebody has entered and not left. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** @throws the signal's reason when it is aborted first */
  enter(signal?: AbortSignal): Promise<void> {
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

  leave(): void {
    const [next] = this.#waiting;
    this.#isTaken = next !== undefined;
    if (next !== undefined) this.#waiting.delete(next);
    next?.();
  }
}

/** Longer than the pauses of the Python services, which try every 100 ms. Milliseconds. */
const GAP = 110;
/** How long callers of this process may follow one another without such a gap. Milliseconds. */
const LONGEST_TURN = 1000;

/**
 * The callers in this process that want the same file, with gaps for other processes. To wait for another process is no
 * gap, because a third one may have the lock meanwhile. So busy processes come to leave their gaps at the same time.
 */
export class FileQueue extends Queue {
  #leftAt = Number.NEGATIVE_INFINITY;
  /** When the callers began to follow one another. */
  #busySince = 0;
  #gap = Promise.resolve();

  /** To be awaited by the caller that has entered. */
  get gap(): Promise<void> {
    return this.#gap;
  }

  override enter(signal?: AbortSignal): Promise<void> {
    const now = performance.now();
    if (!this.isTaken && now - this.#leftAt >= GAP) this.#busySince = now;
    return super.enter(signal);
  }

  override leave(): void {
    this.#leftAt = performance.now();
    if (this.#leftAt - this.#busySince >= LONGEST_TURN) {
      this.#busySince = this.#leftAt + GAP;
      this.#gap = new Promise((resolve) => afterRealTime(GAP, resolve));
    }
    super.leave();
  }
}
