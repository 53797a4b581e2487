import { ApiError } from '../api/errors/api-error.js';
import type { ReassignEntry } from '../api/types.js';
import { sleep } from '../async/sleep.js';
import type { DetachPlan } from './plan.js';

/** How hard a volume is pulled. */
export interface DetachPolicy {
  clientId: number;
  /** How often an attempt is repeated while the volume is open. */
  retries: number;
  /** Milliseconds between the attempts. */
  delay: number;
  /** Whether the last attempt may pull the volume away from whoever has it open. */
  mayForce: boolean;
}

/** `kept`: it is still attached, since it is open and must not be forced. */
export type DetachOutcome = 'detached' | 'forced' | 'kept';

/**
 * Detaches a volume, with patience for those who still have it open.
 *
 * @param reassign - sends one entry to the API
 * @throws whatever the API refuses for another reason than that the volume is open
 */
export async function detach(
  { volume, snapshot }: DetachPlan,
  { clientId, retries, delay, mayForce }: DetachPolicy,
  reassign: (entry: ReassignEntry) => Promise<unknown>,
  signal: AbortSignal | undefined,
): Promise<DetachOutcome> {
  for (let attempt = 0; ; attempt++) {
    const last = attempt >= retries;
    const force = last && mayForce;
    const change = { detach: [clientId], force };
    try {
      await reassign(snapshot ? { snapshot: volume, ...change } : { volume, ...change });
      return force ? 'forced' : 'detached';
    } catch (error) {
      if (!(error instanceof ApiError && error.isOpen) || force) throw error;
      if (last) return 'kept';
      await sleep(delay, signal);
    }
  }
}
