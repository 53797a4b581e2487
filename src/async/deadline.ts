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

/**
 * Waits for a promise for so many milliseconds, or for ever.
 *
 * @throws the error for when it comes too late; what becomes of it then is ignored
 */
export async function within<T>(
  ms: number | undefined,
  promise: Promise<T>,
  isLate: () => Error,
): Promise<T> {
  if (ms === undefined) return promise;
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
