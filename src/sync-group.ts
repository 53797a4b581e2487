/** What a member does under the lock, with what the members share. */
type Work<S, T> = (shared: S) => Promise<T>;

interface Member<S> {
  /** By `performance.now()`. */
  deadline: number;
  run(shared: S): Promise<void>;
  fail(error: unknown): void;
}

/** Calls that wait for a lock together, and share one hold of it. Each has its own result and its own error. */
export class SyncGroup<S> {
  readonly #members: Set<Member<S>>;
  readonly #everyoneLeft = new AbortController();

  constructor(members: Iterable<Member<S>> = []) {
    this.#members = new Set(members);
  }

  /** Aborted when nobody waits any more. */
  get signal(): AbortSignal {
    return this.#everyoneLeft.signal;
  }

  /** How long the most pressed member will still wait. Milliseconds. */
  get patience(): number {
    const first = Math.min(...[...this.#members].map(({ deadline }) => deadline));
    return Math.max(0, first - performance.now());
  }

  /**
   * Waits with the others.
   *
   * @param timeout - milliseconds to wait for the lock
   * @throws what `work` throws; the signal's reason when it is aborted before the lock is there
   */
  join<T>(work: Work<S, T>, timeout: number, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#members.delete(member);
        if (this.#members.size === 0) this.#everyoneLeft.abort();
        reject(signal?.reason);
      };
      const stay = () => signal?.removeEventListener('abort', leave);
      const member: Member<S> = {
        deadline: performance.now() + timeout,
        run(shared) {
          stay();
          return work(shared).then(resolve, reject);
        },
        fail(error) {
          stay();
          reject(error);
        },
      };
      this.#members.add(member);
      signal?.addEventListener('abort', leave);
    });
  }

  /** The lock is there: all members do their work, one after the other. */
  async run(shared: S): Promise<void> {
    for (const member of this.#members) {
      this.#members.delete(member);
      await member.run(shared);
    }
  }

  /** The lock cannot be had. @returns a group of those whose time is not up, if there are any */
  fail(error: unknown, isTimeout: boolean): SyncGroup<S> | undefined {
    const now = performance.now();
    const patient = [...this.#members].filter(({ deadline }) => isTimeout && deadline > now);
    for (const member of this.#members) {
      if (!patient.includes(member)) member.fail(error);
    }
    return patient.length === 0 ? undefined : new SyncGroup(patient);
  }
}
