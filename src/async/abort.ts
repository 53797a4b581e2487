import { setMaxListeners } from 'node:events';

/**
 * Calls back when the signal is aborted. It must not be aborted yet.
 *
 * @returns a function that stops listening
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  try {
    // A service has one signal for all that it does; Node.js before 22 warns of a leak at the eleventh listener.
    setMaxListeners(0, signal);
  } catch {
    // A signal of another implementation, for example that of jsdom, has no limit.
  }
  signal.addEventListener('abort', callback);
  return () => signal.removeEventListener('abort', callback);
}

/**
 * Starts something, and waits for it only until the signal is aborted, even if it does not listen to the
 * signal itself. Its later result is ignored.
 *
 * @throws the signal's reason
 */
export function untilAborted<T>(start: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return start();
  const started = async () => start();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stopListening = onAbort(signal, () => reject(signal.reason));
    started().then(resolve, reject).finally(stopListening);
  });
}

/**
 * The reason why a wait was ended. If it is an `Error` without a `cause`, it gets the given one.
 *
 * @param cause - the failure that led to the wait
 */
export function withCause(reason: unknown, cause: unknown): unknown {
  if (reason instanceof Error && reason.cause === undefined && Object.isExtensible(reason))
    reason.cause = cause;
  return reason;
}
