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

  /**
   * @param until - its signal ends a wait; it is not read before there is one
   * @throws the signal's reason when it is aborted first
   */
  async enter(until?: { readonly signal: AbortSignal }): Promise<void> {
    if (this.#isTaken) return this.#wait(until?.signal);
    this.#isTaken = true;
  }

  #wait(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
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

/** How long callers of this process may follow one another without a gap for other processes. Milliseconds. */
const LONGEST_TURN = 1000;
/** Longer than the pauses of the Python services, which try every 100 ms. Milliseconds. */
const GAP = 110;
/** The gaps of one process would be filled by the others, so all that are busy leave theirs together. Milliseconds. */
const COMMON_GAP = 170;
/** Each period begins with the common gap. It is no multiple of 100 ms, or a service might miss one gap after the other. */
const PERIOD = LONGEST_TURN + COMMON_GAP;

/** Milliseconds of the monotonic clock, which is the same for all processes of the host. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

/** The callers in this process that want the same file, with a gap for other processes in each period in which they are busy. */
export class FileQueue extends Queue {
  #leftAt = Number.NEGATIVE_INFINITY;
  /** When the callers began to follow one another. */
  #busySince = 0;
  /** The last period that had a gap. */
  #period = -1;
  #gap: Promise<void> | undefined;

  /** The latest gap, perhaps over: the caller that has entered awaits it. */
  get gap(): Promise<void> | undefined {
    return this.#gap;
  }

  override enter(until?: { readonly signal: AbortSignal }): Promise<void> {
    if (!this.isTaken && now() - this.#leftAt >= GAP) this.#busySince = now();
    return super.enter(until);
  }

  override leave(): void {
    this.#leftAt = now();
    const period = Math.floor(this.#leftAt / PERIOD);
    if (this.#leftAt - this.#busySince >= LONGEST_TURN && period !== this.#period) {
      this.#period = period;
      const gap = Math.max(GAP, COMMON_GAP - (this.#leftAt % PERIOD));
      // Our own gap is no idle time.
      this.#leftAt += gap;
      this.#gap = new Promise((resolve) => afterRealTime(gap, resolve));
    }
    super.leave();
  }
}
