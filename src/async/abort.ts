import { setMaxListeners } from 'node:events';

/**
 * Calls back once the signal is aborted, which it must not be yet.
 *
 * @returns what ends that
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

/**
 * The reason why a wait was ended, with what the wait was for as its `cause`, where it is an `Error` that has none.
 *
 * @param cause - what had failed, so that there was something to wait for
 */
export function withCause(reason: unknown, cause: unknown): unknown {
  if (reason instanceof Error && reason.cause === undefined && Object.isExtensible(reason))
    reason.cause = cause;
  return reason;
}
