import type { ApiError } from '../api/errors/api-error.js';
import { isTransient } from '../api/retry.js';
import { untilAborted, withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { debugOutput } from '../observe/debug.js';
import { AttachError } from './attach-error.js';
import type { Cluster } from './cluster.js';
import type { Logger } from './options.js';
import type { AttachRequest } from './request.js';

const debug = debugOutput('storpool:attachdb');

/** The cache, while it is locked. */
export interface LockedCache {
  /** Names the file in messages. */
  readonly fname: string;
  /** All entries, not yet checked to be requests. To change them, change the map and save it. */
  readonly entries: Map<string, AttachRequest>;
  save(): Promise<void>;
}

/** What one attempt works with, under the lock and without a pause. */
export interface Attempt {
  readonly cache: LockedCache;
  readonly cluster: Cluster;
  readonly log: Logger;
  /** Whether this is the last attempt for a volume that is open. */
  readonly isLast: boolean;
}

/** The result of an attempt for a volume that is open: another one may succeed after a pause. */
export class StillOpen {
  /** How the API refused to detach it. */
  readonly refusal: ApiError;

  constructor(refusal: ApiError) {
    this.refusal = refusal;
  }
}

/** The result of an attempt that has more to do: the next one follows at once, in a hold of its own. */
export const GOES_ON = Symbol('goes on');

/** What an attempt comes to, if it does not throw. */
export type Outcome<T> = T | StillOpen | typeof GOES_ON;

/** How often to retry, and when. */
export interface AttemptPolicy {
  /** The most retries while the volume is open. */
  openRetries: number;
  /** Milliseconds before each of these retries. */
  openDelay: number;
  /** The most retries after transient failures of the API. */
  transientRetries: number;
  /** Milliseconds before that retry, counted from 0. */
  transientDelay(retry: number): number;
}

/**
 * Makes attempts until one succeeds or fails for good, and pauses between them.
 *
 * @param call - names the call in the warning, for example `attach(ID)`
 * @param attempt - takes the lock, makes one attempt, and releases the lock.
 * `isLast`: an open volume gets no further attempt, so this one must decide
 * @throws what the last attempt threw; the signal's reason, with the last failure as its `cause`
 */
export async function inAttempts<T>(
  call: string,
  attempt: (isLast: boolean) => Promise<Outcome<T>>,
  { openRetries, openDelay, transientRetries, transientDelay }: AttemptPolicy,
  log: Logger,
  signal: AbortSignal | undefined,
): Promise<T> {
  let opened = 0;
  let failed = 0;
  let last: Error | undefined;
  for (;;) {
    let pause: number;
    try {
      // The caller is free as soon as the signal is aborted; a hold of the lock ends when what it has sent is answered.
      const outcome = await untilAborted(() => attempt(opened >= openRetries), signal);
      if (outcome === GOES_ON) continue;
      if (!(outcome instanceof StillOpen)) return outcome;
      last = outcome.refusal;
      opened++;
      pause = openDelay;
    } catch (error) {
      if (last !== undefined && signal?.aborted) throw because(signal.reason, last);
      if (!mayPass(error) || failed >= transientRetries) throw signal?.aborted ? error : withCallers(error);
      last = error as Error;
      if (failed === 0) log.warn(`${call} is waiting for the API, and tries again: ${last.message}`);
      pause = transientDelay(failed++);
    }
    debug('%s; trying again in %d ms', last.message, pause);
    try {
      await sleep(pause, signal);
    } catch (reason) {
      throw because(reason, last);
    }
  }
}

/**
 * Adds to the stack trace of an error how the call was reached: ten frames, which is all that Node.js keeps, do not
 * reach from the transport of the API to the caller of `attach()`.
 */
function withCallers(error: unknown): unknown {
  const here = { stack: '' };
  Error.captureStackTrace(here, withCallers);
  if (!(error instanceof Error)) return error;
  const seen = error.stack ?? '';
  const callers = here.stack.split('\n').filter((line) => line.startsWith('    at ') && !seen.includes(line));
  Reflect.set(error, 'stack', [seen, ...callers].join('\n'));
  return error;
}

/** Whether another attempt may succeed where this one failed. */
const mayPass = (error: unknown) =>
  isTransient(error) || (error instanceof AttachError && error.code === 'ETIMEDOUT');

/** The reason why a wait was ended, with the failure that led to the wait. */
function because(reason: unknown, cause: Error): unknown {
  debug('ended by its signal (%s) while it waited because of: %s', String(reason), cause.message);
  return withCause(reason, cause);
}
