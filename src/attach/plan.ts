import { AttachError } from './attach-error.js';
import { type AttachRequest, checkReqId, type Rights } from './request.js';

/** The cached requests by their IDs. @internal */
export type Requests = ReadonlyMap<string, AttachRequest>;

/** The part of an attachment that a plan needs. */
export interface AttachmentState {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The ID of the client that has it. */
  client: number;
  /** The rights, as the API spells them. */
  rights: 'rw' | 'ro';
}

/** A volume or snapshot that should be attached to this host. */
export interface WantedVolume {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The highest rights that a request asks for. */
  rights: Rights;
  /** The IDs of the requests for it. */
  requests: string[];
}

/** A volume or snapshot to detach. */
export interface DetachPlan {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The IDs of the other requests that need it. If there are any, it is not detached by force, except with `forceShared`. */
  neededBy: string[];
}

/** This host, and the prefix of the names of volumes of this OpenStack installation. @internal */
export interface Host {
  clientId: number;
  prefix: string;
}

/** The call `sync(reqId, detached)`. @internal */
export interface SyncCall {
  reqId: string;
  detached: string | null;
  /** The cache may be old: attach nothing for other requests. */
  careful?: boolean;
}

/** @throws {@link AttachError} `EBADREQUEST`, or a TypeError, for mistakes of JavaScript callers. @internal */
export function syncCall(reqId: string, detached: string | null | undefined): SyncCall {
  checkReqId(reqId);
  if (typeof (detached ?? '') === 'string') return { reqId, detached: detached ?? null };
  throw new TypeError(
    'The second argument of sync() is the name of the volume to detach, or null; the options come third: sync(reqId, null, { signal })',
  );
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
 * @param ours - the attachments of this host
 *
 * @internal
 */
export function syncNeeds(requests: Requests, ours: readonly AttachmentState[], call: SyncCall): SyncNeeds {
  const kept = [...requests].filter(([id, request]) => !isGivenUp(call, id, request));
  const wanted = wantedVolumes(call.careful ? kept.filter(([id]) => id === call.reqId) : kept);
  const isAttached = attachedAmong(ours);
  const own = requests.get(call.reqId);
  const isSnapshot = own?.volume === call.detached && Boolean(own?.volsnap);
  // As in the reference, the name decides where nothing else does.
  const target =
    attachmentOf(call.detached, isSnapshot, ours) ?? attachmentOf(call.detached, !isSnapshot, ours);
  return {
    missing: wanted.filter((one) => !isAttached(one)),
    alreadyAttached: wanted.filter(isAttached),
    detach: target === undefined ? null : detachPlan(target, kept),
  };
}

/**
 * The plan, once it is known which of the missing volumes the cluster has.
 *
 * @throws {@link AttachError} `ESNAPSHOTRW` when a snapshot is wanted read/write.
 *
 * @internal
 */
export function syncPlan(
  requests: Requests,
  { missing, alreadyAttached, detach }: SyncNeeds,
  call: SyncCall,
  exists: (wanted: WantedVolume) => boolean,
): SyncPlan {
  const attach = missing.filter(exists);
  for (const one of attach) checkRights(one);
  const stale = new Set(missing.filter((one) => !exists(one)).map(({ volume }) => volume));
  const staleRequests = [...requests]
    .filter(([id, request]) => stale.has(request.volume) && !isGivenUp(call, id, request))
    .map(([id]) => id);
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

/**
 * Whether an attachment belongs to this host and this OpenStack installation. An API may spell the client in digits.
 *
 * @internal
 */
export const isOurs =
  ({ clientId, prefix }: Host) =>
  ({ volume, client }: AttachmentState) =>
    Number(client) === clientId && volume.startsWith(prefix);

/** Whether an attachment is that of a volume, or of a snapshot of the same name. A mock may leave that out. */
const isOfKind = ({ snapshot }: Partial<AttachmentState>, wanted: boolean) =>
  snapshot === undefined || snapshot === wanted;

/** Whether this host has a volume or snapshot with at least the rights that are wanted. @internal */
export function attachedAmong(ours: readonly AttachmentState[]) {
  const byName = new Map<string, AttachmentState[]>();
  for (const one of ours) byName.set(one.volume, [...(byName.get(one.volume) ?? []), one]);
  return ({ volume, snapshot, rights }: Pick<WantedVolume, 'volume' | 'snapshot' | 'rights'>) =>
    (byName.get(volume) ?? []).some(
      (one) => isOfKind(one, snapshot) && (rights === 1 || one.rights === 'rw'),
    );
}

/** The attachment of that volume, or of that snapshot. @internal */
export const attachmentOf = (
  name: string | null,
  snapshot: boolean,
  ours: readonly AttachmentState[],
): AttachmentState | undefined => ours.find((one) => one.volume === name && isOfKind(one, snapshot));

/** What one request wants. @internal */
export const wantedBy = (reqId: string, { volume, rights, volsnap }: AttachRequest): WantedVolume => ({
  volume,
  snapshot: Boolean(volsnap),
  rights,
  requests: [reqId],
});

/** Whether an entry is the caller's own request for the volume that it gives up. */
const isGivenUp = ({ reqId, detached }: SyncCall, id: string, { volume }: AttachRequest) =>
  id === reqId && volume === detached;

/** Each volume once, in the order of the first requests, with the highest rights that are asked for. */
function wantedVolumes(requests: Iterable<[string, AttachRequest]>): WantedVolume[] {
  const wanted = new Map<string, WantedVolume>();
  for (const [id, request] of requests) {
    const one = wanted.get(request.volume);
    if (one === undefined) {
      wanted.set(request.volume, wantedBy(id, request));
      continue;
    }
    const { snapshot, rights } = wantedBy(id, request);
    if (one.rights < rights) Object.assign(one, { snapshot, rights });
    one.requests.push(id);
  }
  return [...wanted.values()];
}

const detachPlan = (
  { volume, snapshot }: AttachmentState,
  kept: readonly [string, AttachRequest][],
): DetachPlan => ({
  volume,
  snapshot,
  neededBy: kept.filter(([, request]) => request.volume === volume).map(([id]) => id),
});
