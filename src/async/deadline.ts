import { onAbort } from './abort.js';
import { startTimer } from './timer.js';

/** When a wait ends: after a time, or as soon as the caller's own signal is aborted. It costs nothing unless one waits. */
export class Deadline {
  readonly #endsAt: number;
  readonly #caller: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #clear = (): void => undefined;
  /** Whether the time is up. */
  isOver = false;

  /**
   * @param timeout - milliseconds
   * @param caller - its reason becomes that of {@link signal}
   */
  constructor(timeout: number, caller?: AbortSignal) {
    this.#endsAt = performance.now() + timeout;
    this.#caller = caller;
  }

  /** Aborted when the wait ends. */
  get signal(): AbortSignal {
    this.#controller ??= this.#start(new AbortController());
    return this.#controller.signal;
  }

  /** Stops the timer and the listener. */
  clear(): void {
    this.#clear();
  }

  #start(controller: AbortController): AbortController {
    const caller = this.#caller;
    if (caller?.aborted) {
      controller.abort(caller.reason);
      return controller;
    }
    const timer = startTimer(this.#endsAt - performance.now(), () => {
      this.isOver = true;
      controller.abort();
    });
    const stopListening = onAbort(caller, () => controller.abort(caller?.reason));
    this.#clear = () => {
      clearTimeout(timer);
      stopListening();
    };
    return controller;
  }
}
