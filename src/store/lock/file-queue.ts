import { afterRealTime } from '../../async/event-loop.js';
import { Mutex } from './mutex.js';

/** Longer than the pauses of the Python services, which try every 100 ms. Milliseconds. */
const GAP = 110;
/** How long this process may hold the lock without such a gap. Milliseconds. */
const LONGEST_TURN = 1000;

/** The callers in this process that want the same file: one at a time, with gaps for other processes. */
export class FileQueue {
  readonly #mutex = new Mutex();
  #lockedAt: number | undefined;
  #freeSince = 0;
  /** How long the file was locked since the last gap. */
  #locked = 0;

  /** Whether somebody in this process has locked the file. */
  get isLocked(): boolean {
    return this.#lockedAt !== undefined;
  }

  /** @throws the signal's reason */
  enter(signal: AbortSignal): Promise<void> {
    return this.#mutex.acquire(signal);
  }

  /** The caller that has entered has locked the file. */
  lock(): void {
    this.#lockedAt = performance.now();
    if (this.#lockedAt - this.#freeSince >= GAP) this.#locked = 0;
  }

  /** The caller that has entered is done. */
  leave(): void {
    this.#freeSince = performance.now();
    this.#locked += this.#freeSince - (this.#lockedAt ?? this.#freeSince);
    this.#lockedAt = undefined;
    if (this.#locked < LONGEST_TURN) {
      this.#mutex.release();
    } else {
      this.#locked = 0;
      afterRealTime(GAP, () => this.#mutex.release());
    }
  }
}
