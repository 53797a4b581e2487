import { ApiError } from '../api/errors/api-error.js';
import { debugOutput } from '../observe/debug.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { AttachError, NotSent } from './attach-error.js';
import { AGAIN, type Attempt, type Host, inAttempts } from './attempts.js';
import { busy, type DetachMemory, detachVolume } from './detach.js';
import type { Identity } from './identity.js';
import type { Force } from './options.js';
import type { WantedVolume } from './plan.js';
import {
  isGivenUp,
  namesOf,
  othersThan,
  type SyncCall,
  type SyncPlan,
  syncPlan,
  whoNeeds,
  withoutStale,
} from './plan.js';
import { type Ending, reportOf, type SyncOutcome, type SyncReport } from './report.js';
import { checkReqId, checkRequest } from './request.js';

const debug = debugOutput('storpool:attachdb');
const NOTHING_DETACHED: Ending = { detached: null, forced: false, kept: null };

/** @throws {@link AttachError} `EBADREQUEST`, or a TypeError, for mistakes of JavaScript callers. */
export function syncCall(reqId: string, detached: string | null | undefined): SyncCall {
  checkReqId(reqId);
  if (typeof (detached ?? '') === 'string') return { reqId, detached: detached ?? null };
  throw new TypeError(
    'The second argument of sync() is the name of the volume to detach, or null; the options come third: sync(reqId, null, { signal })',
  );
}

/** `AttachDB.plan()`. */
export async function plan(host: Host, call: SyncCall): Promise<SyncPlan> {
  return await inAttempts(`plan(${call.reqId})`, host, (attempt) => planFor(host, call, new Map(), attempt));
}

/** `AttachDB.sync()`. After an answer that the volume is open, an attempt only detaches. */
export async function sync(host: Host, call: SyncCall, force: Force): Promise<SyncReport> {
  const { fname, clientId, log } = host;
  const { reqId } = call;
  let ownVolume: WantedVolume | undefined;
  /** What was sent to be attached; without an answer, it is not known what came of it. */
  const sent = new Set<string>();
  const attached = new Map<string, WantedVolume>();
  const staleRequests: string[] = [];
  const memory: DetachMemory = {};

  const outcome = await inAttempts<SyncOutcome>(`sync(${reqId})`, host, async (attempt) => {
    const { entries, cluster } = attempt;
    let target = memory.open;
    if (target === undefined) {
      const plan = await planFor(host, call, attached, attempt);
      if (plan.unknownRequest) {
        log.warn(
          `Request ${reqId} is not in ${fname}: ${call.detached} is left alone, because it is not known who needs it`,
        );
      }
      for (const volume of plan.alreadyAttached) {
        if (sent.has(keyOf(volume))) attached.set(keyOf(volume), volume);
      }
      const wanted = [...plan.attach, ...plan.alreadyAttached];
      ownVolume = wanted.find(({ requests }) => requests.includes(reqId)) ?? ownVolume;

      for (const missing of plan.attach) {
        if (cluster.isShortOfTime) return AGAIN;
        const { volume, snapshot, rights } = missing;
        const event = { reqId, volume, snapshot, rights, clientId };
        try {
          await traced('storpool:attach', event, () => cluster.attach(missing));
        } catch (error) {
          if (!(error instanceof NotSent)) sent.add(keyOf(missing));
          throw error;
        }
        attached.set(keyOf(missing), missing);
      }
      if (plan.staleRequests.length > 0) {
        for (const id of plan.staleRequests) entries.delete(id);
        await attempt.save();
        staleRequests.push(...plan.staleRequests);
        log.warn(
          `Removed stale requests from ${fname}, because the cluster does not have their volumes: ${plan.staleRequests.join(', ')}`,
        );
      }
      if (plan.detach !== null && cluster.isShortOfTime) return AGAIN;
      target = plan.detach ?? undefined;
    }
    const ending = await detachGivenUp(host, call, target, force, memory, attempt);
    if (ending === AGAIN) return AGAIN;

    let own: SyncOutcome['own'] = call.own ? { volume: call.own.volume, state: 'stale' } : null;
    if (own && isGivenUp(call, memory.target)) own.state = 'detaching';
    else if (ownVolume !== undefined && !staleRequests.includes(reqId)) {
      const isNew = attached.has(keyOf(ownVolume));
      own = { volume: ownVolume.volume, state: isNew ? 'attached' : 'alreadyAttached' };
    }
    return { ...ending, attached: [...attached.values()], staleRequests, own };
  });
  return await reportOf(outcome, host);
}

/**
 * Plans an attempt, and remembers the call's own request.
 * @param attached - what the call has attached: a cluster that is slow to show it is not asked twice
 */
async function planFor(
  { fname, prefix }: Host,
  call: SyncCall,
  attached: ReadonlyMap<string, WantedVolume>,
  { entries, cluster }: Attempt,
): Promise<SyncPlan> {
  const { reqId, detached } = call;
  const cached = entries.get(reqId);
  call.own ??= cached && checkRequest(reqId, cached, `in ${fname}`);
  if (call.own === undefined) {
    if (detached !== null) {
      return { attach: [], alreadyAttached: [], staleRequests: [], detach: null, unknownRequest: true };
    }
    throw new AttachError('EUNKNOWNREQUEST', `Request ${reqId} is not in ${fname}: it has to be added first`);
  }
  for (const [id, request] of entries) checkRequest(id, request, `in ${fname}`);
  const ours = (await cluster.attachments()).filter(({ volume }) => volume.startsWith(prefix));
  const wanted = syncPlan(entries, call, ours);
  const plan = withoutStale(wanted, await cluster.find(wanted.attach));
  plan.attach = plan.attach.filter((one) => (attached.get(keyOf(one))?.rights ?? 0) < one.rights);
  debug('sync(%j, %j): %O', reqId, detached, plan);
  return plan;
}

/** What others need is detached too, but by force only if that is always allowed. */
async function detachGivenUp(
  host: Host,
  call: SyncCall,
  found: Identity | undefined,
  force: Force,
  memory: DetachMemory,
  attempt: Attempt,
): Promise<Ending | typeof AGAIN> {
  // What was sent and not answered was carried out if it is attached no more.
  const target = found ?? (memory.unanswered && memory.target);
  if (target === undefined) return NOTHING_DETACHED;
  memory.target = target;
  const { reqId } = call;
  const { volume, snapshot = false } = target;
  const neededBy = whoNeeds(namesOf(call, target), othersThan(call, attempt.entries, target));
  const mayForce = force === 'always' || (force === 'unshared' && neededBy.length === 0);

  const event: DetachEvent = { reqId, volume, snapshot, clientId: host.clientId };
  const detachIt = async () => {
    const outcome = await detachVolume(host, reqId, target, mayForce, memory, attempt);
    if (outcome instanceof ApiError) event.outcome = attempt.isLast ? 'kept' : 'open';
    else if (outcome !== AGAIN) event.outcome = outcome;
    return outcome;
  };
  const outcome = (!found && memory.unanswered) || (await traced('storpool:detach', event, detachIt));
  if (outcome === AGAIN) return AGAIN;
  if (outcome instanceof ApiError) {
    if (!attempt.isLast || neededBy.length === 0) throw busy(reqId, volume, outcome);
    host.log.warn(
      `${volume} stays attached though request ${reqId} no longer needs it: it is open, and needed by ${neededBy.join(', ')}`,
    );
    return { ...NOTHING_DETACHED, kept: { volume, neededBy } };
  }
  const ending = { detached: volume, forced: outcome === 'forced', kept: null };
  if (neededBy.length === 0) return ending;
  host.log.warn(`${volume} is detached for request ${reqId}, though ${neededBy.join(', ')} still need it`);
  return { ...ending, neededBy };
}

const keyOf = ({ volume, snapshot }: Identity) => `${snapshot}/${volume}`;
