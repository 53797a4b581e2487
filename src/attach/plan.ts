import { AttachError } from './attach-error.js';
import { type AttachmentState, attachmentOf, type Identity, isAttached, isSame } from './identity.js';
import { type AttachRequest, identityOf, type Rights } from './request.js';

/** The cached requests by their IDs. @internal */
export type Requests = ReadonlyMap<string, AttachRequest>;

/** A volume or snapshot that should be attached to this host. */
export interface WantedVolume {
  /** The name of the volume or snapshot; the one that it has now, if the cluster was asked. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The highest rights that a request asks for. */
  rights: Rights;
  /** The IDs of the requests for it. */
  requests: string[];
  /** Its global ID, without `~`, where it is known. */
  globalId?: string | undefined;
}

/** A volume or snapshot to detach. */
export interface DetachPlan {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The IDs of the other requests that need it. If there are any, only `force: 'always'` detaches it by force. */
  neededBy: string[];
  /** Its global ID, without `~`, where it is known. */
  globalId?: string | undefined;
}

/** The call `sync(reqId, detached)`. @internal */
export interface SyncCall {
  reqId: string;
  /** The name of the volume to detach. */
  detached: string | null;
}

/** What the cache and the attachments tell, before it is known which volumes exist. @internal */
export interface SyncNeeds {
  /** To attach, if the cluster has it. */
  missing: WantedVolume[];
  alreadyAttached: WantedVolume[];
  detach: DetachPlan | null;
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

/** The plan for a request that is not in the cache. @internal */
export const planForUnknown = (): SyncPlan => ({
  attach: [],
  alreadyAttached: [],
  staleRequests: [],
  detach: null,
  unknownRequest: true,
});

/**
 * What the cached requests want, what this host lacks of it, and what to detach.
 *
 * Nothing else is ever detached or given lower rights, because services in several containers share
 * a host, and not all of them share the cache.
 *
 * @param own - the request that the call is for; it may have left the cache since the call began
 * @param ours - the attachments of this host, of volumes with the prefix
 *
 * @internal
 */
export function syncNeeds(
  requests: Requests,
  own: AttachRequest,
  ours: readonly AttachmentState[],
  call: SyncCall,
): SyncNeeds {
  const target = call.detached === null ? undefined : targetOf(call.detached, own, ours);
  const kept = new Map(requests);
  if (isGivenUp(call, own, target)) kept.delete(call.reqId);
  const wanted = mergeSame(
    [...kept].map(([id, request]) => {
      const volume = wantedBy(id, request);
      const attachment = attachmentOf(volume, ours);
      return attachment === undefined ? volume : { ...volume, ...nameAndId(attachment) };
    }),
  );
  return {
    missing: wanted.filter((volume) => !isAttached(volume, ours)),
    alreadyAttached: wanted.filter((volume) => isAttached(volume, ours)),
    detach: target
      ? { ...nameAndId(target), snapshot: target.snapshot, neededBy: needing(target, kept) }
      : null,
  };
}

/**
 * The plan, once it is known which of the missing volumes the cluster has.
 *
 * @param found - these, under the names that they have now
 * @throws {@link AttachError} `ESNAPSHOTRW` when a snapshot is wanted read/write.
 *
 * @internal
 */
export function syncPlan(
  requests: Requests,
  { missing, alreadyAttached, detach }: SyncNeeds,
  found: ReadonlyMap<WantedVolume, Identity>,
): SyncPlan {
  const attach = mergeSame(
    missing.flatMap((volume) => {
      const object = found.get(volume);
      return object === undefined ? [] : [{ ...volume, ...nameAndId(object) }];
    }),
  );
  for (const volume of attach) checkRights(volume);
  const stale = new Set(missing.filter((volume) => !found.has(volume)).flatMap((volume) => volume.requests));
  const staleRequests = [...requests.keys()].filter((id) => stale.has(id));
  return { attach, alreadyAttached, staleRequests, detach, unknownRequest: false };
}

/**
 * Checks that `attach()` can attach it, and `detach()` can detach it again.
 *
 * @throws {@link AttachError} `ESNAPSHOTRW` or `EBADREQUEST`
 *
 * @internal
 */
export function checkAttachable(wanted: WantedVolume, prefix: string): void {
  checkRights(wanted);
  if (wanted.volume.startsWith(prefix)) return;
  throw new AttachError(
    'EBADREQUEST',
    `Request ${wanted.requests.join()} is for ${wanted.volume}, whose name does not begin with ${prefix}: detach() could not detach it again; is SP_OPENSTACK_VOLUME_PREFIX right?`,
  );
}

/** @throws {@link AttachError} `ESNAPSHOTRW` for a snapshot that is wanted read/write. */
function checkRights({ volume, snapshot, rights, requests }: WantedVolume): void {
  if (!snapshot || rights === 1) return;
  throw new AttachError(
    'ESNAPSHOTRW',
    `Snapshot ${volume} cannot be attached read/write (requests: ${requests.join(', ')}): ask for rights 1, or for a volume based on it`,
  );
}

/** Whether the call's own request is for the volume that the call detaches. @internal */
export const isGivenUp = (
  { detached }: SyncCall,
  own: AttachRequest,
  target: Identity | undefined,
): boolean => own.volume === detached || (target !== undefined && isSame(identityOf(own), target));

/** What one request wants. @internal */
export function wantedBy(reqId: string, request: AttachRequest): WantedVolume {
  const { volume, snapshot = false, globalId } = identityOf(request);
  return { volume, snapshot, rights: request.rights, requests: [reqId], ...(globalId && { globalId }) };
}

/** The IDs of the entries of the cache, valid requests or not, that are for a volume or snapshot. @internal */
export const needing = (volume: Identity, entries: ReadonlyMap<string, unknown>): string[] =>
  [...entries].filter(([, entry]) => isSame(identityOf(entry), volume)).map(([id]) => id);

/** The attachment that is to be detached. */
function targetOf(
  detached: string,
  own: AttachRequest,
  ours: readonly AttachmentState[],
): AttachmentState | undefined {
  const meant = own.volume === detached ? identityOf(own) : { volume: detached, snapshot: false };
  const target = attachmentOf(meant, ours);
  // As in the reference, the name decides where nothing else does.
  return target || meant.globalId ? target : attachmentOf({ volume: detached }, ours);
}

/** Each volume once, in the order of the first requests, with the highest rights that are asked for. */
function mergeSame(wanted: readonly WantedVolume[]): WantedVolume[] {
  const merged = new Map<string, WantedVolume>();
  for (const volume of wanted) {
    const key = volume.globalId ? `~${volume.globalId}` : `${volume.snapshot}/${volume.volume}`;
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
