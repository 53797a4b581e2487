import { isDeepStrictEqual } from 'node:util';
import { AttachError } from './attach-error.js';
import { type AttachmentState, attachmentOf, type Identity, isAttached, isSame } from './identity.js';
import { type AttachRequest, identityOf, type Rights } from './request.js';

/** A volume or snapshot that should be attached to this host. */
export interface WantedVolume {
  /** The name of the volume or snapshot; the one that it has now, if the cluster was asked. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The highest rights that a request asks for: 1 is read-only, 2 is read/write. */
  rights: Rights;
  /** The IDs of the requests for it. */
  requests: string[];
  /** Its global ID, without `~`, where it is known. */
  globalId?: string | undefined;
}

/** A volume or snapshot to detach. */
export interface DetachPlan extends Pick<WantedVolume, 'volume' | 'snapshot' | 'globalId'> {
  /** The IDs of the other requests that need it. If there are any, only `force: 'always'` detaches it by force. */
  neededBy: string[];
}

/** What `sync()` would do. */
export interface SyncPlan {
  /** To attach, in this order. */
  attach: WantedVolume[];
  /** Already attached to this host, with at least the rights that the requests ask for. */
  alreadyAttached: WantedVolume[];
  /** The IDs of requests for volumes that the cluster does not have: they leave the cache. */
  staleRequests: string[];
  /** What to detach, if anything. */
  detach: DetachPlan | null;
  /** Whether the request is not in the cache; then nothing is attached or detached. */
  unknownRequest: boolean;
}

/** The call `sync(reqId, detached)`. @internal */
export interface SyncCall {
  readonly reqId: string;
  /** The name of the volume to detach. */
  readonly detached: string | null;
  /** Its request, once that was found; it may have left the cache since. */
  own?: AttachRequest | undefined;
}

/**
 * What a `sync()` would do if the cluster had all volumes. Nothing but the one volume is ever detached or given lower
 * rights, because services in several containers share a host, and not all of them share the cache.
 * @param ours - the attachments of this host, of volumes with the prefix
 * @internal
 */
export function syncPlan(
  requests: ReadonlyMap<string, AttachRequest>,
  call: SyncCall,
  ours: readonly AttachmentState[],
): SyncPlan {
  const target = targetOf(call, ours);
  const kept = othersThan(call, requests, target);
  const wanted = wantedVolumes(kept, ours);
  return {
    attach: wanted.filter((volume) => !isAttached(volume, ours)),
    alreadyAttached: wanted.filter((volume) => isAttached(volume, ours)),
    staleRequests: [],
    detach: target ? { ...target, neededBy: whoNeeds(namesOf(call, target), kept) } : null,
    unknownRequest: false,
  };
}

/**
 * The plan, once it is known which of the volumes to attach the cluster has, and what they are called now.
 * @throws {@link AttachError} `ESNAPSHOTRW` @internal
 */
export function withoutStale(plan: SyncPlan, found: ReadonlyMap<WantedVolume, Identity>): SyncPlan {
  const there = plan.attach.filter((volume) => found.has(volume));
  const stale = plan.attach.filter((volume) => !found.has(volume));
  const attach = mergeSame(there.map((volume) => ({ ...volume, ...nameAndId(found.get(volume) ?? volume) })));
  for (const volume of attach) checkRights(volume);
  return { ...plan, attach, staleRequests: stale.flatMap(({ requests }) => requests) };
}

/** What the requests want: each volume once, under its name now if it is attached. @internal */
export function wantedVolumes(
  requests: ReadonlyMap<string, AttachRequest>,
  attachments: readonly AttachmentState[],
): WantedVolume[] {
  const wanted = [...requests].map(([id, request]) => {
    const volume = wantedBy(id, request);
    return { ...volume, ...nameAndId(attachmentOf(volume, attachments) ?? volume) };
  });
  return mergeSame(wanted);
}

/** What one request wants. @internal */
export function wantedBy(reqId: string, request: AttachRequest): WantedVolume {
  const { volume, snapshot = false, globalId } = identityOf(request);
  return { volume, snapshot, rights: request.rights, requests: [reqId], ...(globalId && { globalId }) };
}

/** Whether `detach()` could detach it again. @throws {@link AttachError} `ESNAPSHOTRW` or `EBADREQUEST` @internal */
export function checkAttachable(wanted: WantedVolume, prefix: string): void {
  checkRights(wanted);
  if (wanted.volume.startsWith(prefix)) return;
  throw new AttachError(
    'EBADREQUEST',
    `Request ${wanted.requests.join()} is for ${wanted.volume}, whose name does not begin with ${prefix}: detach() could not detach it again; is SP_OPENSTACK_VOLUME_PREFIX right?`,
  );
}

function checkRights({ volume, snapshot, rights, requests }: WantedVolume): void {
  if (!snapshot || rights === 1) return;
  throw new AttachError(
    'ESNAPSHOTRW',
    `Snapshot ${volume} cannot be attached read/write (requests: ${requests.join(', ')}): ask for rights 1, or for a volume based on it`,
  );
}

/** Whether the call's own request is for the volume that the call detaches. @internal */
export const isGivenUp = ({ own, detached }: SyncCall, target: Identity | undefined): boolean =>
  own !== undefined && (own.volume === detached || (target !== undefined && isSame(identityOf(own), target)));

/** The requests without the call's own, if that gives the volume up. One that was made anew meanwhile does not. @internal */
export function othersThan(
  call: SyncCall,
  requests: ReadonlyMap<string, AttachRequest>,
  target: Identity | undefined,
): Map<string, AttachRequest> {
  const others = new Map(requests);
  const isOwn = isDeepStrictEqual(requests.get(call.reqId), call.own);
  if (isGivenUp(call, target) && isOwn) others.delete(call.reqId);
  return others;
}

/** What other requests may call the volume that the call detaches: it may have got another name. @internal */
export const namesOf = (call: SyncCall, target: Identity): Identity[] =>
  call.own && isGivenUp(call, target) ? [target, identityOf(call.own)] : [target];

/** The IDs of the entries of the cache, valid requests or not, that are for a volume or snapshot. @internal */
export const whoNeeds = (
  names: readonly Identity[],
  entries: ReadonlyMap<string, unknown>,
  same = isSame,
): string[] =>
  [...entries]
    .filter(([, entry]) => names.some((volume) => same(identityOf(entry), volume)))
    .map(([id]) => id);

/** What is to be detached, if it is attached. */
function targetOf({ own, detached }: SyncCall, ours: readonly AttachmentState[]) {
  if (detached === null) return undefined;
  const meant = own?.volume === detached ? identityOf(own) : { volume: detached, snapshot: false };
  // As in the reference, the name decides where nothing else does.
  const byName = own?.volume === detached ? undefined : attachmentOf({ volume: detached }, ours);
  const target = attachmentOf(meant, ours) ?? byName;
  return target && { ...nameAndId(target), snapshot: target.snapshot };
}

/** Each volume once, in the order of the first requests, with the highest rights that are asked for. */
function mergeSame(wanted: readonly WantedVolume[]): WantedVolume[] {
  const merged = new Map<string, WantedVolume>();
  for (const volume of wanted) {
    const key = volume.globalId ?? `${volume.snapshot}/${volume.volume}`;
    const first = merged.get(key);
    if (first === undefined) merged.set(key, { ...volume, requests: [...volume.requests] });
    else {
      first.requests.push(...volume.requests);
      if (first.rights < volume.rights) first.rights = volume.rights;
    }
  }
  return [...merged.values()];
}

const nameAndId = ({ volume, globalId }: Identity) => ({ volume, ...(globalId && { globalId }) });
