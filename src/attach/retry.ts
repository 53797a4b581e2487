import type { ApiError } from '../api/errors/api-error.js';
import { isTransient } from '../api/retry.js';
import { withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { debugOutput } from '../observe/debug.js';

const debug = debugOutput('storpool:attachdb');

/** What an attempt comes to when a client still has the volume open, and a later attempt may do better. */
export class StillOpen {
  readonly volume: string;
  readonly error: ApiError;

  constructor(volume: string, error: ApiError) {
    this.volume = volume;
    this.error = error;
  }
}

/** When there is another attempt. */
export interface AttemptPolicy {
  /** How often at most while the volume is open. */
  openRetries: number;
  /** Milliseconds before each of those. */
  openDelay: number;
  /** How often at most after a transient failure of the API, after 1, 2, 4, … seconds. */
  transientRetries: number;
}

/**
 * Makes attempts until one succeeds or fails for good, and pauses between them.
 *
 * @param attempt - is told whether a volume that is open still gets another attempt; after the last it must decide
 * @param onTransient - called at the first transient failure
 * @throws what the last attempt threw; the signal's reason, whose `cause` is then what had failed before
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

/** The reason for which a wait was ended, with what was waited for. */
function because(reason: unknown, cause: Error): unknown {
  debug('ended by its signal (%s) while it waited because of: %s', String(reason), cause.message);
  return withCause(reason, cause);
}
