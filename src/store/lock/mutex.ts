import { onAbort } from '../../async/abort.js';

/** Lets one caller in at a time, first come, first served. */
export class Turns {
  readonly #onUnused: () => void;
  /** No longer than somebody waits: before Node.js 24 a promise keeps the context that it was made in. */
  #last: Promise<void> | undefined;
  #asked = 0;

  /** @param onUnused - called whenever nobody has a turn or waits for one any more */
  constructor(onUnused: () => void = () => undefined) {
    this.#onUnused = onUnused;
  }

  /**
   * Waits for a turn.
   *
   * @returns what ends the turn
   * @throws the signal's reason when it is aborted before the turn comes; the turn then passes to the next.
   */
  take(signal?: AbortSignal): Promise<() => void> {
    const before = this.idle;
    let resolveLast: () => void = () => undefined;
    this.#last = new Promise((resolve) => {
      resolveLast = resolve;
    });
    this.#asked++;
    const end = () => {
      this.#asked--;
      if (this.unused) {
        this.#last = undefined;
        this.#onUnused();
      }
      resolveLast();
    };
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        stopListening();
        reject(signal?.reason);
        before.then(end);
      };
      const stopListening = onAbort(signal, giveUp);
      if (signal?.aborted) return giveUp();
      before.then(() => {
        stopListening();
        resolve(end);
      });
    });
  }

  /** Whether nobody has a turn or waits for one. */
  get unused(): boolean {
    return this.#asked === 0;
  }

  /** Resolves when everyone who has asked so far has had a turn. */
  get idle(): Promise<void> {
    return this.#last ?? Promise.resolve();
  }
}
