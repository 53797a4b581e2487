import { yieldToEventLoop } from '../../async/event-loop.js';
import { codeOf } from '../file/disk.js';
import type { FileLock } from './file-lock.js';

/** A call that waits for the lock. */
export interface Job {
  /** Consecutive jobs with the same work become one run, with the items of all. */
  readonly work: unknown;
  readonly item: unknown;
  run(lock: FileLock, items: unknown[]): Promise<unknown>;
  settle(outcome: PromiseSettledResult<unknown>): void;
}

/** Waits for the lock, runs a function under it and releases it. */
type WithLock = (serve: (lock: FileLock) => Promise<void>, signal: AbortSignal) => Promise<void>;

/** Calls that wait for the lock at the same time: whoever gets it serves all of them, one after the other. */
export class SharedHold {
  readonly #waiting = new Set<Job>();
  readonly #notNeeded = new AbortController();
  /** Whether calls can still join. */
  isOpen = true;

  add(job: Job): void {
    this.#waiting.add(job);
  }

  /** Removes a call that gives up waiting. When none is left, the lock is no longer needed. */
  leave(job: Job, reason: unknown): void {
    if (!this.#waiting.delete(job)) return;
    job.settle({ status: 'rejected', reason });
    if (this.#waiting.size > 0) return;
    this.isOpen = false;
    this.#notNeeded.abort(reason);
  }

  async serve(withLock: WithLock): Promise<void> {
    let settleLast = () => {};
    try {
      await withLock(async (lock) => {
        this.isOpen = false;
        for (let isOurs = true; isOurs && this.#waiting.size > 0; await yieldToEventLoop()) {
          settleLast();
          const jobs = this.#next();
          const items = jobs.map(({ item }) => item);
          const [outcome] = await Promise.allSettled([jobs[0]?.run(lock, items)]);
          settleLast = () => {
            for (const job of jobs) job.settle(outcome);
          };
          isOurs = outcome.status === 'fulfilled' || codeOf(outcome.reason) !== 'ECOMPROMISED';
        }
      }, this.#notNeeded.signal);
    } catch (reason) {
      for (const job of this.#waiting) job.settle({ status: 'rejected', reason });
      this.#waiting.clear();
    }
    // The last job is settled once the lock is free. After a lost lock, those that are left wait for a new one.
    settleLast();
    if (this.#waiting.size > 0) await this.serve(withLock);
  }

  #next(): Job[] {
    const jobs: Job[] = [];
    for (const job of this.#waiting) {
      if (jobs.length > 0 && job.work !== jobs[0]?.work) break;
      jobs.push(job);
      this.#waiting.delete(job);
    }
    return jobs;
  }
}
