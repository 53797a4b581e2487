import { onAbort } from './abort.js';
import { startTimer } from './sleep.js';

/** How long a caller is willing to wait: until its own signal is aborted, or the time is up. */
export class Patience {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: () => void;
  /** Whether it was the time. */
  over = false;

  /** @param timeout - milliseconds */
  constructor(timeout: number, caller?: AbortSignal) {
    this.#timer = startTimer(timeout, () => {
      this.over = true;
      this.#controller.abort();
    });
    if (caller?.aborted) this.#controller.abort();
    this.#stopListening = onAbort(caller, () => this.#controller.abort());
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#stopListening();
  }
}
