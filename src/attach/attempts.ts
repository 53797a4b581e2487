import { isTransient } from '../api/retry.js';
import { untilAborted, withCause } from '../async/abort.js';
import { sleep } from '../async/sleep.js';
import { AttachError } from './attach-error.js';
import type { Cluster, ClusterOptions } from './cluster.js';
import type { ResolvedOptions } from './options.js';
import type { AttachRequest } from './request.js';

/** What one attempt works with: it holds the lock, and makes no pause. */
export interface Attempt {
  /** The entries of the cache, not yet checked to be requests. To change them, change the map and save it. */
  readonly entries: Map<string, AttachRequest>;
  save(): Promise<void>;
  readonly cluster: Cluster;
  /** Whether this is the last attempt for a volume that is open. */
  readonly isLast: boolean;
}

/** What a call of AttachDB works with. */
export interface Host extends ClusterOptions, Omit<ResolvedOptions, 'api'> {
  /** The path of the cache. */
  readonly fname: string;
  /** What the names of volumes begin with. */
  readonly prefix: string;
  /** Takes the lock, reads the cache, makes one attempt, and releases the lock. */
  hold<T>(isLast: boolean, attempt: (attempt: Attempt) => Promise<T>): Promise<T>;
}

/** The result of an attempt that has more to do: the next one follows at once, in a hold of its own. */
export const AGAIN = Symbol('again');

/**
 * Makes attempts until one succeeds or fails for good, and pauses between them. `EBUSY` is tried again, as long as
 * there are attempts for an open volume, and so is a transient failure of the API.
 * @param call - names the call in the warning, for example `attach(ID)`
 * @throws what the last attempt threw; the signal's reason, with the last failure as its `cause`
 */
export async function inAttempts<T>(
  call: string,
  { policy, log, signal, hold }: Pick<Host, 'policy' | 'log' | 'signal' | 'hold'>,
  attempt: (attempt: Attempt) => Promise<T | typeof AGAIN>,
): Promise<T> {
  let timesOpen = 0;
  let failed = 0;
  let last: Error | undefined;
  for (;;) {
    const isLast = timesOpen >= policy.openRetries;
    let pause: number;
    try {
      // The caller is free as soon as the signal is aborted; a hold of the lock ends when what it has sent is answered.
      const result = await untilAborted(() => hold(isLast, attempt), signal);
      if (result === AGAIN) continue;
      return result;
    } catch (error) {
      const failure = error as Error;
      if (last !== undefined && signal?.aborted) throw withCause(signal.reason, last);
      const code = failure instanceof AttachError ? failure.code : undefined;
      if (code === 'EBUSY' && !isLast) {
        timesOpen++;
        pause = policy.openDelay;
      } else if ((code === 'ETIMEDOUT' || isTransient(failure)) && failed < policy.transientRetries) {
        if (failed === 0) log.warn(`${call} is waiting for the API, and tries again: ${failure.message}`);
        pause = policy.transientDelay(failed++);
      } else throw signal?.aborted ? failure : withCallers(failure);
      last = failure;
    }
    await sleep(pause, signal).catch((reason: unknown) => {
      throw withCause(reason, last);
    });
  }
}

/**
 * Adds to the stack trace of an error how the call was reached: ten frames, which is all that Node.js keeps, do not
 * reach from the transport of the API to the caller of `attach()`.
 */
function withCallers(error: unknown): unknown {
  // A mock may reject with anything.
  if (!(error instanceof Error)) return error;
  const here = { stack: '' };
  Error.captureStackTrace(here, withCallers);
  const seen = error.stack ?? '';
  const callers = here.stack.split('\n').filter((line, nr) => nr > 0 && !seen.includes(line));
  Reflect.set(error, 'stack', [seen, ...callers].join('\n'));
  return error;
}
