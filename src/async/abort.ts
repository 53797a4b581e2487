/** What the signals are listened to with. */
const alarms = new WeakMap<AbortSignal, Alarm>();

/**
 * One listener for all who wait on a signal. A service has one signal for all that it does, and Node.js before 22
 * takes more than ten listeners for a leak, and says so.
 */
class Alarm {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    alarms.set(signal, this);
    signal.addEventListener('abort', this.#ring);
  }

  add(callback: () => void): void {
    this.#callbacks.add(callback);
  }

  delete(callback: () => void): void {
    if (!this.#callbacks.delete(callback) || this.#callbacks.size > 0) return;
    this.#signal.removeEventListener('abort', this.#ring);
    alarms.delete(this.#signal);
  }

  readonly #ring = () => {
    for (const callback of this.#callbacks) callback();
  };
}

/**
 * Calls back once the signal is aborted, which it must not be yet.
 *
 * @returns what ends that
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  const alarm = alarms.get(signal) ?? new Alarm(signal);
  alarm.add(callback);
  return () => alarm.delete(callback);
}

/**
 * Starts something and waits for it no longer than until the signal is aborted, even if it does not listen to the
 * signal itself. What becomes of it later is ignored.
 *
 * @throws the signal's reason
 */
export function untilAborted<T>(start: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return start();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stopListening = onAbort(signal, () => reject(signal.reason));
    (async () => start())().then(resolve, reject).finally(stopListening);
  });
}
