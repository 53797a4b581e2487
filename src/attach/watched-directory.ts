import { type FSWatcher, statSync, watch } from 'node:fs';
import { onAbort } from '../async/abort.js';

/** A directory that tells which of its entries may have come, even if it is itself made later, or anew. */
export class WatchedDirectory {
  readonly #dir: string;
  #watcher: FSWatcher | undefined;
  #identity: string | undefined;
  #changed = new Set<string>();
  #wake: () => void = () => undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Begins to watch where it can. @returns whether changes will be told */
  ensure(): boolean {
    try {
      const { ino, birthtimeMs } = statSync(this.#dir);
      // A directory that is made anew may get the inode of the one before.
      const identity = `${ino}:${birthtimeMs}`;
      if (this.#watcher !== undefined && identity === this.#identity) return true;
      this.close();
      this.#identity = identity;
      this.#watcher = watch(this.#dir, { persistent: false }, (_event, name) => {
        if (name !== null) this.#changed.add(name);
        this.#wake();
      });
      this.#watcher.on('error', () => {
        this.close();
        this.#wake();
      });
      return true;
    } catch {
      // It is not there yet, or the system has no watches left: whoever waits looks more often.
      this.close();
      return false;
    }
  }

  /**
   * Waits for a change, `ms` milliseconds at most.
   *
   * @returns the names that changed, or `undefined` when the time was up
   * @throws the signal's reason when it is aborted
   */
  changeOr(ms: number, signal?: AbortSignal): Promise<Set<string> | undefined> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        stopListening();
        this.#wake = () => undefined;
        const changed = this.#changed;
        this.#changed = new Set();
        if (signal?.aborted) reject(signal.reason);
        else resolve(changed.size > 0 ? changed : undefined);
      };
      const timer = setTimeout(done, ms);
      const stopListening = onAbort(signal, done);
      this.#wake = done;
      if (this.#changed.size > 0 || signal?.aborted) done();
    });
  }

  /** Ends a wait as if its time was up. */
  wake(): void {
    this.#wake();
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
