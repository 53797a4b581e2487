import type { Cluster } from './cluster.js';
import type { Devices } from './devices.js';
import { type AttachmentState, type Identity, isSame } from './identity.js';
import { type AttachRequest, checkRequest, identityOf } from './request.js';

/** What {@link AttachDB.status} says of a volume. */
export const VERDICTS = {
  /** Wanted, attached, and its device is there. */
  ok: 'ok',
  /** Wanted, and in the cluster. */
  notAttached: 'not attached',
  /** Wanted; the next `sync()` drops the request. */
  stale: 'stale: not in the cluster',
  /** Nothing of this library detaches it. */
  noRequest: 'attached, but no request',
  /** A `sync()` or `attach()` for the request raises the rights. */
  readOnly: 'read-only, but read/write wanted',
  /** Wanted and attached. */
  noDevice: 'no device',
  /** Its name lacks the prefix of this OpenStack installation. */
  otherPrefix: 'not ours: another prefix',
  /** An entry of the cache that is invalid. */
  notARequest: 'not a request',
  /** The API did not tell. */
  unknown: '?',
} as const;

/** One of {@link VERDICTS}. */
export type Verdict = (typeof VERDICTS)[keyof typeof VERDICTS];

/** A volume or snapshot that a request wants, or that this host has; or an entry of the cache that is no request. */
export interface VolumeStatus {
  /** Its name now; empty if an entry names none. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The IDs of the requests for it. */
  requests: string[];
  /** The highest rights that a request asks for; `null` without a request. */
  wants: 'rw' | 'ro' | null;
  /** The rights that this host has; `null` if it is not attached, or that is not known (verdict `?`). */
  has: 'rw' | 'ro' | null;
  /** The path of its device, if that is there. */
  device: string | null;
  /** What to make of it. */
  verdict: Verdict;
}

/** The cache, the attachments and the devices of this host, compared. */
export interface HostStatus {
  /** The client ID of this host. */
  client: number;
  /** The prefix of the names of volumes of this OpenStack installation. */
  prefix: string;
  /** A row for each volume, sorted by name. */
  volumes: VolumeStatus[];
  /** What is wrong apart from the volumes: the API does not answer, an entry of the cache is no request. */
  problems: string[];
}

/** A row whose verdict is not known yet. */
interface Row extends Identity {
  snapshot: boolean;
  requests: string[];
  wants: 'rw' | 'ro' | null;
  attachment: AttachmentState | undefined;
}

/**
 * Compares the entries of the cache with what the cluster and the devices tell.
 *
 * @param fname - the cache, for messages
 *
 * @internal
 */
export async function hostStatus(
  fname: string,
  entries: ReadonlyMap<string, unknown>,
  cluster: Cluster,
  devices: Devices,
  signal: AbortSignal | undefined,
): Promise<HostStatus> {
  const { clientId: client, prefix } = cluster.host;
  const problems: string[] = [];
  const ask = async <T>(question: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await question();
    } catch (error) {
      signal?.throwIfAborted();
      problems.push((error as Error).message);
      return undefined;
    }
  };

  const attachments = await ask(() => cluster.attachments());
  const rows = attachedRows(attachments ?? []);
  const volumes: VolumeStatus[] = [];
  for (const [id, entry] of entries) {
    const problem = problemOf(id, entry, fname);
    if (problem === undefined) addWanted(rows, id, entry as AttachRequest);
    else {
      problems.push(problem);
      volumes.push(notARequest(id, entry));
    }
  }
  const missing = rows.filter(({ attachment }) => attachment === undefined);
  const found = attachments && (await ask(() => cluster.find(missing)));
  for (const row of rows) {
    const { volume, snapshot, requests, wants, attachment } = row;
    const device = devices.isThere(volume) ? devices.path(volume) : null;
    const has = attachment?.rights ?? null;
    const verdict = verdictOn({ volume, wants, has, device }, prefix, found?.has(row));
    volumes.push({ volume, snapshot, requests, wants, has, device, verdict });
  }
  volumes.sort((one, other) => (one.volume < other.volume ? -1 : Number(one.volume > other.volume)));
  return { client, prefix, volumes, problems };
}

const attachedRows = (attachments: readonly AttachmentState[]): Row[] =>
  attachments.map((attachment) => {
    const { volume, snapshot = false, globalId } = attachment;
    return { volume, snapshot, globalId, requests: [], wants: null, attachment };
  });

function addWanted(rows: Row[], id: string, request: AttachRequest): void {
  const identity = identityOf(request);
  let row = rows.find((other) => isSame(identity, other));
  if (row === undefined) {
    row = {
      ...identity,
      snapshot: Boolean(identity.snapshot),
      requests: [],
      wants: null,
      attachment: undefined,
    };
    rows.push(row);
  }
  row.requests.push(id);
  if (request.rights === 2 || row.wants === null) row.wants = request.rights === 2 ? 'rw' : 'ro';
}

/** What is wrong with an entry of the cache, if anything. */
function problemOf(id: string, entry: unknown, fname: string): string | undefined {
  try {
    checkRequest(id, entry, `in ${fname}`);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

function notARequest(id: string, entry: unknown): VolumeStatus {
  const { volume, snapshot = false } = identityOf(entry);
  const nothing = { wants: null, has: null, device: null };
  return { volume, snapshot, requests: [id], ...nothing, verdict: VERDICTS.notARequest };
}

/** @param exists - whether the cluster has it; `undefined` if the API did not tell */
function verdictOn(
  { volume, wants, has, device }: Pick<VolumeStatus, 'volume' | 'wants' | 'has' | 'device'>,
  prefix: string,
  exists: boolean | undefined,
): Verdict {
  if (!volume.startsWith(prefix)) return VERDICTS.otherPrefix;
  if (has === null && exists === undefined) return VERDICTS.unknown;
  if (has === null) return exists ? VERDICTS.notAttached : VERDICTS.stale;
  if (wants === null) return VERDICTS.noRequest;
  if (wants === 'rw' && has === 'ro') return VERDICTS.readOnly;
  return device === null ? VERDICTS.noDevice : VERDICTS.ok;
}
