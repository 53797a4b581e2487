import { onAbort } from './abort.js';
import { startTimer } from './sleep.js';

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

  /** Ends the wait: stops the timer and the listener. */
  clear(): void {
    this.#clear();
  }

  #start(controller: AbortController): AbortController {
    const caller = this.#caller;
    const timer = startTimer(this.#endsAt - performance.now(), () => {
      this.isOver = true;
      controller.abort();
    });
    if (caller?.aborted) controller.abort(caller.reason);
    const stopListening = onAbort(caller, () => controller.abort(caller?.reason));
    this.#clear = () => {
      clearTimeout(timer);
      stopListening();
    };
    return controller;
  }
}

/**
 * Waits for a promise for so many milliseconds.
 *
 * @throws the error for when it comes too late; what becomes of it then is ignored
 */
export async function within<T>(ms: number, promise: Promise<T>, isLate: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = startTimer(ms, () => reject(isLate()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
