import { isDeepStrictEqual } from 'node:util';
import { ApiError } from '../api/errors/api-error.js';
import type { DetachEvent } from '../observe/tracing.js';
import { AttachError, NotSent } from './attach-error.js';
import { AGAIN, type Attempt, type Host, inAttempts } from './attempts.js';
import { type AttachmentState, attachmentOf, type Identity, isCertainlySame } from './identity.js';
import type { Force } from './options.js';
import { whoNeeds } from './plan.js';
import type { Detached } from './report.js';
import { type AttachRequest, checkRequest, identityOf } from './request.js';

/** `AttachDB.detach()`. Each attempt takes the lock, and releases it when it returns. */
export async function detach(host: Host, reqId: string, force: Force, event: DetachEvent): Promise<Detached> {
  const { fname, prefix, log } = host;
  let first: AttachRequest | undefined;
  let attachments: readonly AttachmentState[] = [];
  const memory: DetachMemory = {};

  return await inAttempts(`detach(${reqId})`, host, async (attempt) => {
    const { entries, cluster } = attempt;
    const cached = entries.get(reqId);
    if (cached === undefined) {
      log.warn(`Request ${reqId} is not in ${fname}: there is nothing to detach`);
      return { volume: null, outcome: 'unknownRequest', neededBy: [] };
    }
    const request = checkRequest(reqId, cached, `in ${fname}`);
    first ??= request;
    const { volume } = first;
    if (!isDeepStrictEqual(request, first)) {
      log.warn(`Request ${reqId} was made anew while detach() was waiting: ${volume} is left alone`);
      return { volume, outcome: 'renewed', neededBy: [] };
    }
    // Not saved yet: it only must not count among those that need the volume.
    entries.delete(reqId);
    const forget = async (outcome: Detached['outcome'], neededBy: string[] = []): Promise<Detached> => {
      await attempt.save();
      return { volume, outcome, neededBy };
    };

    const wanted = identityOf(request);
    Object.assign(event, { volume, snapshot: wanted.snapshot });
    const certainlyNeededBy = whoNeeds([wanted], entries, isCertainlySame);
    if (certainlyNeededBy.length > 0) return forget('shared', certainlyNeededBy);

    if (memory.open === undefined) attachments = await cluster.attachments();
    const target = memory.open ?? attachmentOf(wanted, attachments);
    // The volume may have been renamed. Then a request that knows only the old name may still mean it, unless another
    // attached volume has that name now.
    const old = attachmentOf({ ...wanted, globalId: undefined }, attachments) ? [] : [wanted];
    const neededBy = whoNeeds(target ? [target, ...old] : [wanted], entries);
    if (neededBy.length > 0) return forget('shared', neededBy);
    if (target === undefined) return forget(memory.unanswered ?? 'notAttached');
    if (!target.volume.startsWith(prefix)) {
      log.warn(`${target.volume} is left alone: its name does not begin with ${prefix}`);
      return forget('notAttached');
    }

    const outcome = await detachVolume(host, reqId, target, force !== 'never', memory, attempt);
    if (outcome === AGAIN) return AGAIN;
    if (outcome instanceof ApiError) throw busy(reqId, volume, outcome);
    return forget(outcome);
  });
}

/** What a call remembers of the volume that it detaches, from attempt to attempt. */
export interface DetachMemory {
  /** What the API has just said to be open: then it need not be looked up again. */
  open?: Identity | undefined;
  /** What a `sync()` detaches, or has detached. */
  target?: Identity;
  /** What was sent and not answered: it may have been carried out. */
  unanswered?: 'detached' | 'forced' | undefined;
}

/**
 * Detaches a volume; in the last attempt by force, if it may.
 * @returns the answer of the API when a program has it open
 */
export async function detachVolume(
  { log }: Host,
  reqId: string,
  target: Identity,
  mayForce: boolean,
  memory: DetachMemory,
  { cluster, isLast }: Attempt,
): Promise<'detached' | 'forced' | ApiError | typeof AGAIN> {
  const force = isLast && mayForce;
  if (force && memory.unanswered !== 'forced') {
    log.warn(
      `${target.volume} is detached by force for request ${reqId}, because no attempt was left: data that a program had not written yet is lost`,
    );
  }
  const wasLookedUp = memory.open === undefined;
  memory.open = undefined;
  const outcome = force ? 'forced' : 'detached';
  try {
    await cluster.detach(target, force);
    return outcome;
  } catch (error) {
    if (error instanceof NotSent) throw error;
    memory.unanswered = error instanceof ApiError ? undefined : outcome;
    if (!(error instanceof ApiError)) throw error;
    if (error.isOpen && !force) {
      memory.open = target;
      return error;
    }
    if (wasLookedUp || error.isOpen || error.transient) throw error;
    // It may have been renamed or detached since it was looked up: then the next attempt starts anew.
    const now = attachmentOf(target, await cluster.attachments());
    if (now?.volume === target.volume) throw error;
    return AGAIN;
  }
}

/** The error of an attempt that has not used force; before the last one it means: try again. */
export const busy = (reqId: string, volume: string, refusal: ApiError): AttachError =>
  new AttachError(
    'EBUSY',
    `${volume} is open, so it stays attached, and request ${reqId} cached: end the program that uses it and try again, or use force: 'unshared'`,
    { cause: refusal },
  );
