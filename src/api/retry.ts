import { withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { ApiConnectionError } from './errors/api-connection-error.js';
import { ApiError } from './errors/api-error.js';
import { ApiResponseError } from './errors/api-response-error.js';

/** How a failed call is retried. */
export interface RetryPolicy {
  /** The most retries to make. */
  retries: number;
  /** Milliseconds to wait before that retry, counted from 0. */
  delay(retry: number): number;
}

const RESET = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** Incomplete HTTP: a service that is restarting may end a reply like that. */
const BROKEN = new Set(['ENOTHTTP', 'ETRUNCATED']);

/** Whether the same call may succeed later. */
export function isTransient(error: unknown): boolean {
  if (error instanceof ApiError) return error.transient;
  if (error instanceof ApiConnectionError) return RESET.has(error.code);
  return error instanceof ApiResponseError && BROKEN.has(error.code);
}

/**
 * Runs an attempt until it succeeds, fails for good, or uses up its retries.
 *
 * @throws what the last attempt threw; the signal's reason, with the last failure as its `cause`
 */
export async function withRetries<T>(
  attempt: (retry: number) => Promise<T>,
  { retries, delay }: RetryPolicy,
  onRetry: (error: unknown, retry: number, wait: number) => void,
  signal?: AbortSignal,
): Promise<T> {
  let last: unknown;
  for (let retry = 0; ; retry++) {
    try {
      return await attempt(retry);
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
