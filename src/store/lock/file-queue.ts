import { afterRealTime } from '../../async/event-loop.js';
import { Mutex } from './mutex.js';

/** Longer than the pauses of the Python services, which try every 100 ms. Milliseconds. */
const GAP = 110;
/** How long this process may hold the lock without such a gap. Milliseconds. */
const LONGEST_TURN = 1000;
/**
 * The gaps of one process would be filled by the others. So all that are busy pause at the same time, by the monotonic
 * clock, which is the same for the whole host: at the beginning of each period. Milliseconds.
 */
const COMMON_GAP = 160;
const PERIOD = LONGEST_TURN + COMMON_GAP;
/** Who has held the lock for that long since the last gap is busy. Milliseconds. */
const BUSY = 100;

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
    if (this.#mutex.isFree && now() - this.#freeSince >= GAP) this.#locked = 0;
    return this.#mutex.acquire(signal);
  }

  /** The caller that has entered has locked the file. */
  lock(): void {
    this.#lockedAt = now();
  }

  /** The caller that has entered is done. */
  leave(): void {
    this.#freeSince = now();
    this.#locked += this.#freeSince - (this.#lockedAt ?? this.#freeSince);
    this.#lockedAt = undefined;
    const pause = pauseAfter(this.#locked, this.#freeSince);
    if (pause >= GAP) this.#locked = 0;
    if (pause > 0) afterRealTime(pause, () => this.#mutex.release());
    else this.#mutex.release();
  }
}

/** Milliseconds of the host's monotonic clock. */
const now = () => Number(process.hrtime.bigint()) / 1e6;

/**
 * How long a process leaves the lock to others.
 *
 * @param locked - for how long it had the lock since its last gap
 * @param time - by the host's monotonic clock
 */
export function pauseAfter(locked: number, time: number): number {
  const common = locked >= BUSY ? Math.max(0, COMMON_GAP - (time % PERIOD)) : 0;
  return locked >= LONGEST_TURN ? Math.max(common, GAP) : common;
}
