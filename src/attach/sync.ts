import { ApiError } from '../api/errors/api-error.js';
import { debugOutput } from '../observe/debug.js';
import { type DetachEvent, traced } from '../observe/tracing.js';
import { AttachError } from './attach-error.js';
import { AGAIN, type Attempt, type Host, inAttempts } from './attempts.js';
import { busy, type DetachMemory, detachVolume } from './detach.js';
import type { Identity } from './identity.js';
import type { Force } from './options.js';
import type { WantedVolume } from './plan.js';
import { isGivenUp, type SyncCall, type SyncPlan, syncPlan, whoNeeds, withoutStale } from './plan.js';
import { reportOf, type SyncOutcome, type SyncReport } from './report.js';
import { checkReqId, checkRequest } from './request.js';

const debug = debugOutput('storpool:attachdb');

/** What became of the volume that a call gives up. */
type Ending = Pick<SyncReport, 'detached' | 'forced' | 'kept' | 'neededBy'>;
const NOTHING: Ending = { detached: null, forced: false, kept: null };

/** What a call remembers of the volume that it gives up, from attempt to attempt. */
interface SyncMemory extends DetachMemory {
  target?: Identity;
}

/** `AttachDB.sync()`. After an answer that the volume is open, an attempt only detaches. */
export async function sync(
  host: Host,
  reqId: string,
  detached: string | null,
  force: Force,
): Promise<SyncReport> {
  const { fname, log } = host;
  let call: SyncCall | undefined;
  let ownVolume: WantedVolume | undefined;
  /** What was sent to be attached; without an answer, it is not known what came of it. */
  const sent = new Set<string>();
  const attached = new Map<string, WantedVolume>();
  const staleRequests: string[] = [];
  const memory: SyncMemory = {};

  const outcome = await inAttempts(
    `sync(${reqId})`,
    host,
    async (attempt): Promise<SyncOutcome | typeof AGAIN> => {
      const { cluster } = attempt;
      call ??= readCall(host, reqId, detached, attempt);
      if (call === undefined) {
        log.warn(
          `Request ${reqId} is not in ${fname}: ${detached} is left alone, because it is not known who needs it`,
        );
        return { ...NOTHING, attached: [], staleRequests, own: null };
      }
      let target = memory.open;
      if (target === undefined) {
        const plan = await planOf(host, call, attached, attempt);
        for (const volume of plan.alreadyAttached) {
          if (sent.has(keyOf(volume))) attached.set(keyOf(volume), volume);
        }
        const wanted = [...plan.attach, ...plan.alreadyAttached];
        ownVolume = wanted.find(({ requests }) => requests.includes(reqId)) ?? ownVolume;

        for (const volume of plan.attach) {
          if (cluster.isShortOfTime) return AGAIN;
          sent.add(keyOf(volume));
          await attachVolume(host, reqId, volume, attempt);
          attached.set(keyOf(volume), volume);
        }
        staleRequests.push(...plan.staleRequests);
        await forgetStale(host, plan.staleRequests, attempt);
        if (plan.detach !== null && cluster.isShortOfTime) return AGAIN;
        target = plan.detach ?? undefined;
      }
      const ending = await detachTarget(host, call, target, force, memory, attempt);
      if (ending === AGAIN) return AGAIN;
      let own: SyncOutcome['own'] = { volume: call.own.volume, state: 'stale' };
      if (isGivenUp(call, memory.target)) own.state = 'detaching';
      else if (ownVolume !== undefined && !staleRequests.includes(reqId)) {
        const isNew = attached.has(keyOf(ownVolume));
        own = { volume: ownVolume.volume, state: isNew ? 'attached' : 'alreadyAttached' };
      }
      return { ...ending, attached: [...attached.values()], staleRequests, own };
    },
  );
  return await reportOf(outcome, host);
}

/** `AttachDB.plan()`. */
export async function plan(host: Host, reqId: string, detached: string | null): Promise<SyncPlan> {
  return await inAttempts(`plan(${reqId})`, host, async (attempt) => {
    const call = readCall(host, reqId, detached, attempt);
    if (call !== undefined) return planOf(host, call, new Map(), attempt);
    return { attach: [], alreadyAttached: [], staleRequests: [], detach: null, unknownRequest: true };
  });
}

/** @throws {@link AttachError} `EBADREQUEST`, or a TypeError, for mistakes of JavaScript callers. */
export function checkSyncArguments(reqId: string, detached: string | null | undefined): void {
  checkReqId(reqId);
  if (typeof (detached ?? '') === 'string') return;
  throw new TypeError(
    'The second argument of sync() is the name of the volume to detach, or null; the options come third: sync(reqId, null, { signal })',
  );
}

/** Its request, as it is cached; `undefined` where that is unknown, and the call gives a volume up. */
function readCall(
  { fname }: Host,
  reqId: string,
  detached: string | null,
  { entries }: Attempt,
): SyncCall | undefined {
  const own = entries.get(reqId);
  if (own !== undefined) return { reqId, own: checkRequest(reqId, own, `in ${fname}`), detached };
  if (detached !== null) return undefined;
  throw new AttachError('EUNKNOWNREQUEST', `Request ${reqId} is not in ${fname}: add() it before sync()`);
}

/** Plans a `sync()` that has attached some volumes already. */
async function planOf(
  { fname, prefix }: Host,
  call: SyncCall,
  attached: ReadonlyMap<string, WantedVolume>,
  { entries, cluster }: Attempt,
): Promise<SyncPlan> {
  for (const [id, request] of entries) checkRequest(id, request, `in ${fname}`);
  const ours = (await cluster.attachments()).filter(({ volume }) => volume.startsWith(prefix));
  const wanted = syncPlan(entries, call, ours);
  // A cluster that is slow to show what it has attached is not asked twice.
  wanted.attach = wanted.attach.filter(
    (volume) => (attached.get(keyOf(volume))?.rights ?? 0) < volume.rights,
  );
  const plan = withoutStale(wanted, await cluster.find(wanted.attach));
  debug('sync(%j, %j): %O', call.reqId, call.detached, plan);
  return plan;
}

async function attachVolume(
  { clientId }: Host,
  reqId: string,
  wanted: WantedVolume,
  { cluster }: Attempt,
): Promise<void> {
  const { volume, snapshot, rights } = wanted;
  const context = { reqId, volume, snapshot, rights, clientId };
  await traced('storpool:attach', context, () => cluster.attach(wanted));
}

async function forgetStale({ fname, log }: Host, ids: readonly string[], attempt: Attempt): Promise<void> {
  if (ids.length === 0) return;
  for (const id of ids) attempt.entries.delete(id);
  await attempt.save();
  log.warn(
    `Removed stale requests from ${fname}, because the cluster does not have their volumes: ${ids.join(', ')}`,
  );
}

/** Detaches what the call gives up. What others need is detached too, but by force only if that is always allowed. */
async function detachTarget(
  host: Host,
  call: SyncCall,
  attached: Identity | undefined,
  force: Force,
  memory: SyncMemory,
  attempt: Attempt,
): Promise<Ending | typeof AGAIN> {
  // What was sent and not answered was carried out if it is attached no more.
  const target = attached ?? (memory.unanswered && memory.target);
  if (target === undefined) return NOTHING;
  memory.target = target;
  const { volume } = target;
  const others = new Map(attempt.entries);
  if (isGivenUp(call, target)) others.delete(call.reqId);
  const neededBy = whoNeeds(target, others);
  const mayForce = force === 'always' || (force === 'unshared' && neededBy.length === 0);
  const outcome =
    (attached === undefined && memory.unanswered) ||
    (await tracedDetach(host, call.reqId, target, mayForce, memory, attempt));
  if (outcome === AGAIN) return AGAIN;
  if (outcome instanceof ApiError) {
    if (!attempt.isLast || neededBy.length === 0) throw busy(call.reqId, volume, outcome);
    host.log.warn(
      `${volume} stays attached though request ${call.reqId} no longer needs it: it is open, and needed by ${neededBy.join(', ')}`,
    );
    return { ...NOTHING, kept: { volume, neededBy } };
  }
  const ending = { detached: volume, forced: outcome === 'forced', kept: null };
  if (neededBy.length === 0) return ending;
  host.log.warn(
    `${volume} is detached for request ${call.reqId}, though ${neededBy.join(', ')} still need it`,
  );
  return { ...ending, neededBy };
}

async function tracedDetach(
  host: Host,
  reqId: string,
  target: Identity,
  mayForce: boolean,
  memory: DetachMemory,
  attempt: Attempt,
): Promise<Awaited<ReturnType<typeof detachVolume>>> {
  const { volume, snapshot = false } = target;
  const context: DetachEvent = { reqId, volume, snapshot, clientId: host.clientId };
  return traced('storpool:detach', context, async () => {
    const outcome = await detachVolume(host, reqId, target, mayForce, memory, attempt);
    if (outcome instanceof ApiError) context.outcome = attempt.isLast ? 'kept' : 'open';
    else if (outcome !== AGAIN) context.outcome = outcome;
    return outcome;
  });
}

const keyOf = ({ volume, snapshot }: Identity) => `${snapshot}/${volume}`;
