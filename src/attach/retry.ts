import type { ApiError } from '../api/errors/api-error.js';
import { isTransient } from '../api/retry.js';
import { withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { debugOutput } from '../observe/debug.js';

const debug = debugOutput('storpool:attachdb');

/** The result of an attempt when a client still has the volume open, so that a later attempt may succeed. */
export class StillOpen {
  readonly volume: string;
  readonly error: ApiError;

  constructor(volume: string, error: ApiError) {
    this.volume = volume;
    this.error = error;
  }
}

/** How often to retry, and when. */
export interface AttemptPolicy {
  /** The most retries while the volume is open. */
  openRetries: number;
  /** Milliseconds before each of these retries. */
  openDelay: number;
  /** The most retries after transient failures of the API, after 1, 2, 4, … seconds. */
  transientRetries: number;
}

/**
 * Makes attempts until one succeeds or fails for good, and pauses between them.
 *
 * @param attempt - `isLast`: an open volume gets no further attempt, so this one must decide
 * @param onTransient - called at the first transient failure
 * @throws what the last attempt threw; the signal's reason, with the last failure as its `cause`
 */
export async function inAttempts<T>(
  attempt: (isLast: boolean) => Promise<T | StillOpen>,
  { openRetries, openDelay, transientRetries }: AttemptPolicy,
  onTransient: (error: Error) => void,
  signal: AbortSignal | undefined,
): Promise<T> {
  let opened = 0;
  let failed = 0;
  let last: Error | undefined;
  for (;;) {
    let pause: number;
    try {
      const result = await attempt(opened >= openRetries);
      if (!(result instanceof StillOpen)) return result;
      last = result.error;
      opened++;
      pause = openDelay;
    } catch (error) {
      if (last !== undefined && signal?.aborted) throw because(signal.reason, last);
      if (!isTransient(error) || failed >= transientRetries) throw error;
      last = error as Error;
      if (failed === 0) onTransient(last);
      pause = 1000 * 2 ** failed++;
    }
    debug('%s; trying again in %d ms', last.message, pause);
    try {
      await sleep(pause, signal);
    } catch (reason) {
      throw because(reason, last);
    }
  }
}

/** The reason why a wait was ended, with the failure that led to the wait. */
function because(reason: unknown, cause: Error): unknown {
  debug('ended by its signal (%s) while it waited because of: %s', String(reason), cause.message);
  return withCause(reason, cause);
}
