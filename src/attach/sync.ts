import { debugOutput } from '../observe/debug.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { AttachError } from './attach-error.js';
import { type Attempt, GOES_ON, type Outcome, StillOpen } from './attempts.js';
import { busy, type DetachMemory, sendDetach } from './detach.js';
import type { Identity } from './identity.js';
import type { Force } from './options.js';
import {
  isGivenUp,
  needing,
  planForUnknown,
  type SyncCall,
  type SyncPlan,
  syncNeeds,
  syncPlan,
  type WantedVolume,
} from './plan.js';
import type { SyncOutcome } from './report.js';
import { type AttachRequest, checkReqId, checkRequest } from './request.js';

const debug = debugOutput('storpool:attachdb');

/** What one `sync()` remembers from attempt to attempt. */
export interface SyncMemory extends DetachMemory {
  /** The request that the call is for, once it was found. It may leave the cache later, for example as stale. */
  own?: AttachRequest;
  /** Its volume, under the name that it has now. */
  volume?: WantedVolume;
  /** What was sent to be attached; without an answer, it is not known what came of it. */
  readonly sent: Map<string, WantedVolume>;
  /** What this call has attached. */
  readonly attached: Map<string, WantedVolume>;
  readonly staleRequests: string[];
  /** What was to be detached. */
  target?: Identity;
}

export const newSyncMemory = (): SyncMemory => ({ sent: new Map(), attached: new Map(), staleRequests: [] });

/** @throws {@link AttachError} `EBADREQUEST`, or a TypeError, for mistakes of JavaScript callers. */
export function syncCall(reqId: string, detached: string | null | undefined): SyncCall {
  checkReqId(reqId);
  if (typeof (detached ?? '') === 'string') return { reqId, detached: detached ?? null };
  throw new TypeError(
    'The second argument of sync() is the name of the volume to detach, or null; the options come third: sync(reqId, null, { signal })',
  );
}

/** Plans a `sync()`. Changes nothing. */
export async function planSync(
  call: SyncCall,
  memory: SyncMemory,
  { cache, cluster }: Attempt,
): Promise<SyncPlan> {
  const { reqId, detached } = call;
  const cached = cache.entries.get(reqId);
  if (cached !== undefined) memory.own ??= checkRequest(reqId, cached, `in ${cache.fname}`);
  if (memory.own === undefined) {
    if (detached !== null) return planForUnknown();
    throw new AttachError(
      'EUNKNOWNREQUEST',
      `Request ${reqId} is not in ${cache.fname}: it has to be added first`,
    );
  }
  for (const [id, request] of cache.entries) checkRequest(id, request, `in ${cache.fname}`);
  const { prefix } = cluster.host;
  const ours = (await cluster.attachments()).filter(({ volume }) => volume.startsWith(prefix));
  const needs = syncNeeds(cache.entries, memory.own, ours, call);
  // A cluster that is slow to show what it has attached is not asked twice.
  needs.missing = needs.missing.filter(
    (volume) => (memory.attached.get(keyOf(volume))?.rights ?? 0) < volume.rights,
  );
  const plan = syncPlan(cache.entries, needs, await cluster.find(needs.missing));
  debug('sync(%j, %j): %O', reqId, detached, plan);
  return plan;
}

/** One attempt of `sync()`. After an answer that the volume is open, the next attempt only detaches. */
export async function syncOnce(
  call: SyncCall,
  force: Force,
  memory: SyncMemory,
  attempt: Attempt,
): Promise<Outcome<SyncOutcome>> {
  const { cache, cluster, log } = attempt;
  let target = memory.open;
  if (target === undefined) {
    const plan = await planSync(call, memory, attempt);
    if (plan.unknownRequest) {
      log.warn(
        `Request ${call.reqId} is not in ${cache.fname}: ${call.detached} is left alone, because it is not known who needs it`,
      );
    }
    remember(plan, call, memory);
    for (const wanted of plan.attach) {
      if (cluster.isShortOfTime) return GOES_ON;
      await attachWanted(call, wanted, memory, attempt);
    }
    await forgetStale(plan, memory, attempt);
    if (plan.detach !== null && cluster.isShortOfTime) return GOES_ON;
    target = plan.detach ?? undefined;
  }
  const detached = await detachTarget(target, call, force, memory, attempt);
  if (detached === GOES_ON || detached instanceof StillOpen) return detached;
  const attached = [...memory.attached.values()];
  return { attached, staleRequests: memory.staleRequests, own: ownOutcome(call, memory), ...detached };
}

/** Finds out what earlier attempts have sent without an answer, and what the own volume is called now. */
function remember({ attach, alreadyAttached }: SyncPlan, { reqId }: SyncCall, memory: SyncMemory): void {
  for (const volume of alreadyAttached) {
    const sent = memory.sent.get(keyOf(volume));
    if (sent !== undefined) memory.attached.set(keyOf(volume), sent);
  }
  const own = [...attach, ...alreadyAttached].find(({ requests }) => requests.includes(reqId));
  if (own !== undefined) memory.volume = own;
}

async function attachWanted(
  { reqId }: SyncCall,
  wanted: WantedVolume,
  memory: SyncMemory,
  { cluster }: Attempt,
): Promise<void> {
  const { volume, snapshot, rights } = wanted;
  memory.sent.set(keyOf(wanted), wanted);
  const context = { reqId, volume, snapshot, rights, clientId: cluster.host.clientId };
  await traced('storpool:attach', context, () => cluster.attach(wanted));
  memory.attached.set(keyOf(wanted), wanted);
}

async function forgetStale(plan: SyncPlan, memory: SyncMemory, { cache, log }: Attempt): Promise<void> {
  const { staleRequests } = plan;
  if (staleRequests.length === 0) return;
  for (const id of staleRequests) cache.entries.delete(id);
  await cache.save();
  memory.staleRequests.push(...staleRequests);
  log.warn(
    `Removed stale requests from ${cache.fname}, because the cluster does not have their volumes: ${staleRequests.join(', ')}`,
  );
}

/** Detaches what the call gives up. What others need is detached too, but by force only if that is always allowed. */
async function detachTarget(
  attached: Identity | undefined,
  call: SyncCall,
  force: Force,
  memory: SyncMemory,
  attempt: Attempt,
): Promise<Outcome<Pick<SyncOutcome, 'detached' | 'forced' | 'kept' | 'neededBy'>>> {
  const { cache, log, isLast } = attempt;
  const { reqId } = call;
  // What was sent and not answered was carried out if it is attached no more.
  const target = attached ?? (memory.unanswered && memory.target);
  if (!target) return { detached: null, forced: false, kept: null };
  memory.target = target;
  const { volume } = target;
  const others = new Map(cache.entries);
  if (memory.own && isGivenUp(call, memory.own, target)) others.delete(reqId);
  const neededBy = needing(target, others);
  const mayForce = force === 'always' || (force === 'unshared' && neededBy.length === 0);
  const outcome =
    attached === undefined && memory.unanswered
      ? memory.unanswered
      : await tracedDetach(reqId, target, mayForce, memory, attempt);
  if (outcome === GOES_ON) return outcome;
  if (outcome instanceof StillOpen) {
    if (!isLast) return outcome;
    if (neededBy.length === 0) throw busy(reqId, volume, outcome);
    log.warn(
      `${volume} stays attached though request ${reqId} no longer needs it: it is open, and needed by ${neededBy.join(', ')}`,
    );
    return { detached: null, forced: false, kept: { volume, neededBy } };
  }
  const done = { detached: volume, forced: outcome === 'forced', kept: null };
  if (neededBy.length === 0) return done;
  log.warn(`${volume} is detached for request ${reqId}, though ${neededBy.join(', ')} still need it`);
  return { ...done, neededBy };
}

async function tracedDetach(
  reqId: string,
  target: Identity,
  mayForce: boolean,
  memory: SyncMemory,
  attempt: Attempt,
): Promise<Outcome<'detached' | 'forced'>> {
  const { volume, snapshot = false } = target;
  const context: DetachEvent = { reqId, volume, snapshot, clientId: attempt.cluster.host.clientId };
  return traced('storpool:detach', context, async () => {
    const outcome = await sendDetach(reqId, target, mayForce, memory, attempt);
    if (outcome instanceof StillOpen) context.outcome = attempt.isLast ? 'kept' : 'open';
    else if (outcome !== GOES_ON) context.outcome = outcome;
    return outcome;
  });
}

function ownOutcome(call: SyncCall, memory: SyncMemory): SyncOutcome['own'] {
  const { own, target, volume: now } = memory;
  if (own === undefined) return null;
  const { volume } = own;
  if (isGivenUp(call, own, target)) return { volume, state: 'detaching' };
  if (memory.staleRequests.includes(call.reqId) || now === undefined) return { volume, state: 'stale' };
  const isNew = memory.attached.has(keyOf(now));
  return { volume: now.volume, state: isNew ? 'attached' : 'alreadyAttached' };
}

const keyOf = ({ volume, snapshot }: Identity) => `${snapshot}/${volume}`;
