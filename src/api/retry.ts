import { withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { ApiConnectionError } from './errors/api-connection-error.js';
import { ApiError } from './errors/api-error.js';
import { ApiResponseError } from './errors/api-response-error.js';

/** When a failed call is sent again. */
export interface RetryPolicy {
  /** How often at most. */
  retries: number;
  /** Milliseconds to wait before the retry of that number, counted from 0. */
  delay(retry: number): number;
}

const RESET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Replies that are no whole HTTP: a service that is being restarted ends like that. */
const BROKEN = new Set(['ENOTHTTP', 'ETRUNCATED']);

/** Whether the same call may succeed a little later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ApiError) return error.transient;
  if (error instanceof ApiConnectionError) return RESET.has(error.code);
  return error instanceof ApiResponseError && BROKEN.has(error.code);
}

/**
 * Runs an attempt until it succeeds, fails for good, or has been tried often enough.
 *
 * @throws what the last attempt threw; the signal's reason, whose `cause` is then what had failed before
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { retries, delay }: RetryPolicy,
  onRetry: (error: unknown, retry: number, wait: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  let last: unknown;
  for (let retry = 0; ; retry++) {
    try {
      return await attempt();
    } catch (error) {
      if (last !== undefined && signal?.aborted) throw withCause(signal.reason, last);
      if (retry >= retries || !isTransient(error)) throw error;
      last = error;
    }
    const wait = delay(retry);
    onRetry(last, retry, wait);
    await sleep(wait, signal).catch((reason: unknown) => {
      throw withCause(reason, last);
    });
  }
}
