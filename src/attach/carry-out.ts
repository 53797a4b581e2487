import { ApiError } from '../api/errors/api-error.js';
import { debugOutput } from '../observe/debug.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { AttachError } from './attach-error.js';
import type { Cluster } from './cluster.js';
import type { Logger } from './options.js';
import {
  attachedAmong,
  attachmentOf,
  type DetachPlan,
  planForUnknown,
  type SyncCall,
  type SyncPlan,
  syncNeeds,
  syncPlan,
  type WantedVolume,
  wantedBy,
} from './plan.js';
import type { Attached, Detached, OwnRequest, SyncOutcome, SyncReport } from './report.js';
import { type AttachRequest, checkRequest, isSnapshot, volumeOf } from './request.js';
import { StillOpen } from './retry.js';

const debug = debugOutput('storpool:attachdb');

/** The cache, while it is locked. */
export interface LockedCache {
  /** Names the file in messages. */
  readonly fname: string;
  /** All entries, not yet checked to be requests. */
  readonly entries: Readonly<Record<string, unknown>>;
  put(reqId: string, request: AttachRequest): Promise<void>;
  drop(reqIds: readonly string[]): Promise<void>;
}

/** What one attempt works with, under the lock and without a pause. */
export interface Attempt {
  readonly cache: LockedCache;
  readonly cluster: Cluster;
  readonly log: Logger;
  /** Whether this is the last attempt for a volume that is open. */
  readonly isLast: boolean;
  /** Whether the cache was restored from a copy that may be old, and no operator has checked it yet. */
  readonly careful: boolean;
}

/** What the attempts of one `sync()` have done so far. */
export class SyncProgress {
  /** The volumes that were sent to be attached; after a failure, the result is not known. */
  readonly sent = new Map<string, WantedVolume>();
  readonly attached = new Set<string>();
  readonly staleRequests: string[] = [];
}

/** What the attempts of one `attach()` have done so far. */
export class AttachProgress {
  /** Whether the reassignment was sent; after a failure, the result is not known. */
  sent = false;
}

/** What the attempts of one `detach()` have in common. */
export class DetachProgress {
  /** The volume that is meant; the request may be given to another one meanwhile. */
  volume: string | undefined;
}

/** Plans a `sync()`, and finds the volume of its own request. Changes nothing. */
export async function planSync(
  call: SyncCall,
  { cache, cluster, careful }: Pick<Attempt, 'cache' | 'cluster' | 'careful'>,
): Promise<{ plan: SyncPlan; ownVolume: string | null }> {
  const cached = cache.entries;
  if (!Object.hasOwn(cached, call.reqId)) {
    if (call.detached !== null) return { plan: planForUnknown(), ownVolume: null };
    throw new AttachError(
      'EUNKNOWNREQUEST',
      `Request ${call.reqId} is not in ${cache.fname}: add() it before sync()`,
    );
  }
  const requests = new Map(
    Object.entries(cached).map(([id, request]) => [id, checkRequest(id, request, `in ${cache.fname}`)]),
  );
  const cautious = { ...call, careful };
  const needs = syncNeeds(requests, await cluster.attachments(), cautious);
  const plan = syncPlan(requests, needs, cautious, await cluster.existing(needs.missing));
  debug('sync(%j, %j): %O', call.reqId, call.detached, plan);
  return { plan, ownVolume: requests.get(call.reqId)?.volume ?? null };
}

/**
 * One attempt of `sync()`.
 *
 * @returns a {@link StillOpen} when the volume to detach is open and there is another attempt
 */
export async function syncOnce(
  call: SyncCall,
  progress: SyncProgress,
  attempt: Attempt,
  forceShared: boolean,
): Promise<SyncOutcome | StillOpen> {
  const { cache, cluster, log } = attempt;
  const { reqId, detached } = call;
  const { plan, ownVolume } = await planSync(call, attempt);
  if (plan.unknownRequest) {
    log.warn(
      `Request ${reqId} is not in ${cache.fname}: ${detached} is left alone, because it is not known who needs it`,
    );
  }
  for (const wanted of plan.attach) {
    // Do not ask a cluster twice that is slow to show the attachment.
    if (progress.attached.has(wanted.volume)) continue;
    progress.sent.set(wanted.volume, wanted);
    const { volume, snapshot, rights } = wanted;
    const context = { reqId, volume, snapshot, rights, clientId: cluster.host.clientId };
    await traced('storpool:attach', context, () => cluster.attach(wanted));
    progress.attached.add(volume);
  }
  if (plan.staleRequests.length > 0) {
    await cache.drop(plan.staleRequests);
    progress.staleRequests.push(...plan.staleRequests);
    log.warn(
      `Removed stale requests from ${cache.fname}, because the cluster does not have their volumes: ${plan.staleRequests.join(', ')}`,
    );
  }
  const outcome = await detachPlanned(plan.detach, call, attempt, forceShared);
  if (outcome instanceof StillOpen) return outcome;
  for (const { volume } of plan.alreadyAttached) {
    if (progress.sent.has(volume)) progress.attached.add(volume);
  }
  const attached = [...progress.sent.values()].filter(({ volume }) => progress.attached.has(volume));
  const { staleRequests } = progress;
  const own = ownVolume === null ? null : { volume: ownVolume, state: ownState(call, ownVolume, progress) };
  return { attached, staleRequests, own, ...outcome };
}

function ownState(
  { reqId, detached }: SyncCall,
  volume: string,
  { attached, staleRequests }: SyncProgress,
): OwnRequest['state'] {
  if (volume === detached) return 'detaching';
  if (staleRequests.includes(reqId)) return 'stale';
  return attached.has(volume) ? 'attached' : 'alreadyAttached';
}

async function detachPlanned(
  target: DetachPlan | null,
  { reqId }: SyncCall,
  { cluster, log, isLast, careful }: Attempt,
  forceShared: boolean,
): Promise<Pick<SyncReport, 'detached' | 'forced' | 'kept' | 'neededBy'> | StillOpen> {
  if (target === null) return { detached: null, forced: false, kept: null };
  const { volume, snapshot, neededBy } = target;
  const mayForce = !careful && (neededBy.length === 0 || forceShared);
  const context: DetachEvent = { reqId, volume, snapshot, clientId: cluster.host.clientId };
  const outcome = await traced('storpool:detach', context, async () => {
    const done = await tryDetach(cluster, target, isLast && mayForce);
    context.outcome = done instanceof StillOpen ? (isLast ? 'kept' : 'open') : done;
    return done;
  });
  if (outcome instanceof StillOpen) {
    if (!isLast) return outcome;
    const why = neededBy.length > 0 ? `needed by ${neededBy.join(', ')}` : 'the cache may be old';
    log.warn(`${volume} stays attached though request ${reqId} no longer needs it: it is open, and ${why}`);
    return { detached: null, forced: false, kept: { volume, neededBy } };
  }
  if (outcome === 'forced') warnForced(log, volume, reqId);
  if (neededBy.length === 0) return { detached: volume, forced: outcome === 'forced', kept: null };
  log.warn(`${volume} is detached for request ${reqId}, though ${neededBy.join(', ')} still need it`);
  return { detached: volume, forced: outcome === 'forced', kept: null, neededBy };
}

/** One attempt of `attach()`. It checks only its own request. */
export async function attachOnce(
  reqId: string,
  request: AttachRequest,
  progress: AttachProgress,
  { cache, cluster }: Attempt,
): Promise<Pick<Attached, 'alreadyAttached'>> {
  const wanted = wantedBy(reqId, request);
  const { volume } = wanted;
  const cached = cache.entries;
  const before = Object.hasOwn(cached, reqId) ? volumeOf(cached[reqId]) : undefined;
  const isOther = before !== volume || isSnapshot(cached[reqId]) !== wanted.snapshot;
  if (before !== undefined && isOther) {
    throw new AttachError(
      'EBADREQUEST',
      `Request ${reqId} is for ${before === volume ? 'another object of that name' : before} in ${cache.fname}, not for ${volume}: detach(${JSON.stringify(reqId)}) first, or use another ID`,
    );
  }
  // Whatever happens later, detach() finds the request. Its write takes as long as the questions: both at once.
  const questions = Promise.all([cluster.attachments(), cluster.existing([wanted])]);
  const [answers, write] = await Promise.allSettled([questions, cache.put(reqId, request)]);
  if (write.status === 'rejected') throw write.reason;
  if (answers.status === 'rejected') {
    if (before === undefined && !progress.sent) await cache.drop([reqId]);
    throw answers.reason;
  }
  const [ours, exists] = answers.value;
  const isAttached = attachedAmong(ours)(wanted);
  if (!isAttached && !exists(wanted)) {
    await cache.drop([reqId]);
    throw new AttachError(
      'ENOVOLUME',
      `The cluster has no ${wanted.snapshot ? 'snapshot' : 'volume'} ${volume} for request ${reqId}: check the name, or create it first`,
    );
  }
  const alreadyAttached = isAttached && !progress.sent;
  if (!isAttached) {
    progress.sent = true;
    await cluster.attach(wanted);
  }
  return { alreadyAttached };
}

/**
 * One attempt of `detach()`.
 *
 * @returns a {@link StillOpen} when the volume is open and there is another attempt
 */
export async function detachOnce(
  reqId: string,
  progress: DetachProgress,
  { cache, cluster, log, isLast, careful }: Attempt,
): Promise<Detached | StillOpen> {
  const cached = cache.entries;
  if (!Object.hasOwn(cached, reqId)) {
    log.warn(`Request ${reqId} is not in ${cache.fname}: there is nothing to detach`);
    return { volume: null, outcome: 'unknownRequest', neededBy: [] };
  }
  const { volume, volsnap } = checkRequest(reqId, cached[reqId], `in ${cache.fname}`);
  progress.volume ??= volume;
  if (volume !== progress.volume) {
    log.warn(`Request ${reqId} is now for ${volume}: ${progress.volume} is left alone`);
    return { volume: null, outcome: 'unknownRequest', neededBy: [] };
  }
  const neededBy = Object.keys(cached).filter((id) => id !== reqId && volumeOf(cached[id]) === volume);
  const end = async (outcome: Detached['outcome']): Promise<Detached> => {
    await cache.drop([reqId]);
    return { volume, outcome, neededBy };
  };
  if (neededBy.length > 0) return end('shared');
  if (!volume.startsWith(cluster.host.prefix)) {
    log.warn(`${volume} is left alone: its name does not begin with ${cluster.host.prefix}`);
    return end('notAttached');
  }
  const target = attachmentOf(volume, Boolean(volsnap), await cluster.attachments());
  if (target === undefined) return end('notAttached');
  const outcome = await tryDetach(cluster, target, isLast && !careful);
  if (!(outcome instanceof StillOpen)) {
    if (outcome === 'forced') warnForced(log, volume, reqId);
    return end(outcome);
  }
  if (!isLast) return outcome;
  log.warn(
    `${volume} stays attached: it is open, and ${cache.fname} may be old, so it is not detached by force`,
  );
  throw outcome.error;
}

async function tryDetach(
  cluster: Cluster,
  target: { volume: string; snapshot: boolean },
  force: boolean,
): Promise<'detached' | 'forced' | StillOpen> {
  try {
    await cluster.detach(target, force);
    return force ? 'forced' : 'detached';
  } catch (error) {
    if (!force && error instanceof ApiError && error.isOpen) return new StillOpen(target.volume, error);
    throw error;
  }
}

const warnForced = (log: Logger, volume: string, reqId: string) =>
  log.warn(
    `${volume} is detached by force for request ${reqId}, because no attempt was left: data that a program had not written yet is lost`,
  );
