import { AttachError } from './attach-error.js';
import type { AttachRequest, Rights } from './request.js';

/** An attachment, as far as a plan needs to know it. */
export interface AttachmentState {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The ID of the client that has it. */
  client: number;
  /** In the words of the API. */
  rights: 'rw' | 'ro';
}

/** A volume or snapshot that this host is to have. */
export interface WantedVolume {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The highest that any request asks for. */
  rights: Rights;
  /** The IDs of the requests for it. */
  requests: string[];
}

/** What is to be detached. */
export interface DetachPlan {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The other requests that need it; while there are any it is not pulled away by force. */
  neededBy: string[];
}

/** This host, and what the names of the volumes of this OpenStack begin with. */
export interface Host {
  clientId: number;
  prefix: string;
}

/** The call that is planned: `sync(reqId, detached)` on that host. */
export interface SyncCall extends Host {
  reqId: string;
  detached: string | null;
}

/** What is known once the cache and the attachments are read, but not yet which volumes exist. */
export interface SyncNeeds {
  /** The whole cache. */
  requests: ReadonlyMap<string, AttachRequest>;
  /** To be attached, if the cluster has it. */
  missing: WantedVolume[];
  alreadyAttached: WantedVolume[];
  detach: DetachPlan | null;
}

/** What `sync()` would do. */
export interface SyncPlan {
  /** To attach, in this order. */
  attach: WantedVolume[];
  /** Attached to this host with at least the rights that the requests ask for. */
  alreadyAttached: WantedVolume[];
  /** The requests for volumes that the cluster does not have: they leave the cache. */
  staleRequests: string[];
  /** What to detach, if anything. */
  detach: DetachPlan | null;
  /** The request is not in the cache; what it wants detached stays as it is. */
  unknownRequest: boolean;
}

/** The plan for detaching on behalf of a request that is not in the cache. */
export const planForUnknown = (): SyncPlan => ({
  attach: [],
  alreadyAttached: [],
  staleRequests: [],
  detach: null,
  unknownRequest: true,
});

/**
 * What the cached requests want, what of it this host does not have, and what is to be detached.
 *
 * Nothing else that is attached is ever detached or given lower rights: services in several containers share
 * a host, and not all of them share the cache.
 */
export function syncNeeds(
  requests: ReadonlyMap<string, AttachRequest>,
  attachments: readonly AttachmentState[],
  { reqId, detached, clientId, prefix }: SyncCall,
): SyncNeeds {
  const wanted = wantedVolumes(
    [...requests].filter(([id, { volume }]) => id !== reqId || volume !== detached),
  );
  const ours = attachments.filter(isOurs({ clientId, prefix }));
  const namesOf = (some: readonly AttachmentState[]) => new Set(some.map(({ volume }) => volume));
  const [atAll, toWrite] = [namesOf(ours), namesOf(ours.filter(({ rights }) => rights === 'rw'))];
  const isAttached = ({ volume, rights }: WantedVolume) => (rights === 1 ? atAll : toWrite).has(volume);
  const target = ours.find(({ volume }) => volume === detached);
  return {
    requests,
    missing: wanted.filter((one) => !isAttached(one)),
    alreadyAttached: wanted.filter(isAttached),
    detach: target === undefined ? null : detachPlan(target, wanted),
  };
}

/**
 * The plan, once it is known what the cluster has of what is missing.
 *
 * @throws {@link AttachError} `ESNAPSHOTRW` when a snapshot is wanted read/write.
 */
export function syncPlan(
  { requests, missing, alreadyAttached, detach }: SyncNeeds,
  exists: (wanted: WantedVolume) => boolean,
): SyncPlan {
  const attach = missing.filter(exists);
  for (const { volume, snapshot, rights, requests: wantedBy } of attach) {
    if (snapshot && rights === 2) {
      throw new AttachError(
        'ESNAPSHOTRW',
        `Snapshot ${volume} cannot be attached read/write, as it is asked for (requests: ${wantedBy.join(', ')}); ask for rights 1, or for a volume made from it`,
      );
    }
  }
  const stale = new Set(missing.filter((one) => !exists(one)).map(({ volume }) => volume));
  const staleRequests = [...requests].filter(([, { volume }]) => stale.has(volume)).map(([id]) => id);
  return { attach, alreadyAttached, staleRequests, detach, unknownRequest: false };
}

/** Whether an attachment is one of this host, of a volume of this OpenStack. */
export const isOurs =
  ({ clientId, prefix }: Host) =>
  ({ volume, client }: AttachmentState) =>
    client === clientId && volume.startsWith(prefix);

/** Each volume once, where it is first asked for, as the request with the highest rights wants it. */
function wantedVolumes(requests: Iterable<[string, AttachRequest]>): WantedVolume[] {
  const wanted = new Map<string, WantedVolume>();
  for (const [id, { volume, rights, volsnap }] of requests) {
    const one = wanted.get(volume) ?? { volume, snapshot: Boolean(volsnap), rights, requests: [] };
    if (one.rights < rights) Object.assign(one, { snapshot: Boolean(volsnap), rights });
    one.requests.push(id);
    wanted.set(volume, one);
  }
  return [...wanted.values()];
}

const detachPlan = ({ volume, snapshot }: AttachmentState, wanted: WantedVolume[]): DetachPlan => ({
  volume,
  snapshot,
  neededBy: wanted.find((one) => one.volume === volume)?.requests ?? [],
});
