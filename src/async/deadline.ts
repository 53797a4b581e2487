import { onAbort } from './abort.js';
import { startTimer } from './sleep.js';

/** When a wait ends: after a time, or as soon as the caller's own signal is aborted. */
export class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #stopListening: () => void;
  /** Whether the time is up. */
  isOver = false;

  /**
   * @param timeout - milliseconds
   * @param caller - its reason becomes that of {@link signal}
   */
  constructor(timeout: number, caller?: AbortSignal) {
    this.#timer = startTimer(timeout, () => {
      this.isOver = true;
      this.#controller.abort();
    });
    if (caller?.aborted) this.#controller.abort(caller.reason);
    this.#stopListening = onAbort(caller, () => this.#controller.abort(caller?.reason));
  }

  /** Aborted when the wait ends. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the wait: stops the timer and the listener. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#stopListening();
  }
}
