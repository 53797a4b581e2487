import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../api/errors/api-error.js';
import { AttachError } from './attach-error.js';
import { type Attempt, GOES_ON, type Outcome, StillOpen } from './attempts.js';
import { attachmentOf, type Identity, isCertainlySame } from './identity.js';
import type { Force } from './options.js';
import { needing } from './plan.js';
import type { Detached } from './report.js';
import { type AttachRequest, checkRequest, identityOf } from './request.js';

/** What a call remembers of the volume that it detaches, from attempt to attempt. */
export interface DetachMemory {
  /** What the API has just said to be open: then it need not be looked up again. */
  open?: Identity | undefined;
  /** What was sent and not answered: it may have been carried out. */
  unanswered?: 'detached' | 'forced' | undefined;
  /** Whether the operator was warned of the force. */
  isWarned?: boolean;
}

/** One attempt of `detach()`. */
export async function detachOnce(
  reqId: string,
  force: Force,
  memory: DetachMemory & { request?: AttachRequest },
  attempt: Attempt,
): Promise<Outcome<Detached>> {
  const { cache, cluster, log, isLast } = attempt;
  const cached = cache.entries.get(reqId);
  if (cached === undefined) {
    log.warn(`Request ${reqId} is not in ${cache.fname}: there is nothing to detach`);
    return { volume: null, outcome: 'unknownRequest', neededBy: [] };
  }
  const request = checkRequest(reqId, cached, `in ${cache.fname}`);
  memory.request ??= request;
  const { volume } = memory.request;
  if (!isDeepStrictEqual(request, memory.request)) {
    log.warn(`Request ${reqId} was made anew while detach() was waiting: ${volume} is left alone`);
    return { volume, outcome: 'renewed', neededBy: [] };
  }
  const others = new Map(cache.entries);
  others.delete(reqId);
  const forget = async (outcome: Detached['outcome'], neededBy: string[] = []): Promise<Detached> => {
    cache.entries.delete(reqId);
    await cache.save();
    return { volume, outcome, neededBy };
  };

  const wanted = identityOf(request);
  const isShared = [...others.values()].some((other) => isCertainlySame(identityOf(other), wanted));
  if (isShared) return forget('shared', needing(wanted, others));

  const target = memory.open ?? attachmentOf(wanted, await cluster.attachments());
  const neededBy = needing(target ?? wanted, others);
  if (neededBy.length > 0) return forget('shared', neededBy);
  if (target === undefined) return forget(memory.unanswered ?? 'notAttached');
  if (!target.volume.startsWith(cluster.host.prefix)) {
    log.warn(`${target.volume} is left alone: its name does not begin with ${cluster.host.prefix}`);
    return forget('notAttached');
  }

  const outcome = await sendDetach(reqId, target, force !== 'never', memory, attempt);
  if (outcome === 'detached' || outcome === 'forced') return forget(outcome);
  if (outcome instanceof StillOpen && isLast) throw busy(reqId, volume, outcome);
  return outcome;
}

/**
 * Sends the reassignment that detaches a volume; in the last attempt by force, if it may.
 *
 * @returns a {@link StillOpen} when a program has it open
 */
export async function sendDetach(
  reqId: string,
  target: Identity,
  mayForce: boolean,
  memory: DetachMemory,
  { cluster, log, isLast }: Attempt,
): Promise<Outcome<'detached' | 'forced'>> {
  const force = isLast && mayForce;
  if (force && !memory.isWarned) {
    memory.isWarned = true;
    log.warn(
      `${target.volume} is detached by force for request ${reqId}, because no attempt was left: data that a program had not written yet is lost`,
    );
  }
  const wasLookedUp = memory.open === undefined;
  memory.open = undefined;
  memory.unanswered = force ? 'forced' : 'detached';
  try {
    await cluster.detach(target, force);
    return memory.unanswered;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    memory.unanswered = undefined;
    if (error.isOpen && !force) {
      memory.open = target;
      return new StillOpen(error);
    }
    if (wasLookedUp || error.isOpen || error.transient) throw error;
    // It may have been renamed or detached since it was looked up: then the next attempt starts anew.
    const attached = attachmentOf(target, await cluster.attachments());
    if (attached?.volume === target.volume) throw error;
    return GOES_ON;
  }
}

/** The error of a last attempt that must not use force. */
export const busy = (reqId: string, volume: string, { refusal }: StillOpen): AttachError =>
  new AttachError(
    'EBUSY',
    `${volume} is open, and force is 'never', so it stays attached and request ${reqId} cached: end the program that uses it, and try again`,
    { cause: refusal },
  );
