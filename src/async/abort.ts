import { setMaxListeners } from 'node:events';

/**
 * Calls back once the signal is aborted, which it must not be yet.
 *
 * @returns what ends that
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): () => void {
  if (signal === undefined) return () => undefined;
  allowManyListeners(signal);
  signal.addEventListener('abort', callback);
  return () => signal.removeEventListener('abort', callback);
}

/** A service has one signal for all that it does; Node.js before 22 takes more than ten listeners for a leak. */
function allowManyListeners(signal: AbortSignal): void {
  try {
    setMaxListeners(0, signal);
  } catch {
    // The signal of another implementation, jsdom's for example: it has no limit.
  }
}

/**
 * Starts something and waits for it no longer than until the signal is aborted, even if it does not listen to the
 * signal itself. What becomes of it later is ignored.
 *
 * @throws the signal's reason
 */
export function untilAborted<T>(start: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  const started = async () => start();
  if (signal === undefined) return started();
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const stopListening = onAbort(signal, () => reject(signal.reason));
    started().then(resolve, reject).finally(stopListening);
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
