import { setMaxListeners } from 'node:events';
import { MAX_TIMER, startTimer } from './timer.js';

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
 * Starts something, and waits for it only until the signal is aborted or the time is up, even if it does not listen to
 * the signal itself. Its later result is ignored.
 *
 * @param ms - milliseconds
 * @param lateError - makes the error for when the time is up
 * @throws the signal's reason
 */
export function untilAborted<T>(
  start: () => Promise<T>,
  signal: AbortSignal | undefined,
  ms = Number.POSITIVE_INFINITY,
  lateError?: () => Error,
): Promise<T> {
  if (signal === undefined && ms > MAX_TIMER) return start();
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const end = () => {
      clearTimeout(timer);
      stopListening();
    };
    const timer = startTimer(ms, () => {
      end();
      reject(lateError?.());
    });
    const stopListening = onAbort(signal, () => {
      end();
      reject(signal?.reason);
    });
    const started = async () => start();
    started().then(resolve, reject).finally(end);
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
