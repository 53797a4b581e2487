import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from './attempts.js';
import { Cluster } from './cluster.js';
import { attachmentOf, type Identity, isSame } from './identity.js';
import { wantedVolumes } from './plan.js';
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

/** `AttachDB.status()`: compares the entries of the cache with what the cluster and the devices tell. @internal */
export async function hostStatus(
  host: Host,
  entries: ReadonlyMap<string, AttachRequest>,
): Promise<HostStatus> {
  const { fname, clientId: client, prefix, deviceDir, signal } = host;
  const problems: string[] = [];
  const orProblem = async <T>(question: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await question();
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };

  const cluster = new Cluster(host);
  const known = await orProblem(() => cluster.attachments());
  const attachments = known ?? [];
  const volumes: VolumeStatus[] = [];
  const requests = new Map<string, AttachRequest>();
  for (const [id, entry] of entries) {
    const request = await orProblem(() => checkRequest(id, entry, `in ${fname}`));
    if (request !== undefined) requests.set(id, request);
    else {
      const { volume, snapshot = false } = identityOf(entry);
      const nothing = { wants: null, has: null, device: null };
      volumes.push({ volume, snapshot, requests: [id], ...nothing, verdict: VERDICTS.notARequest });
    }
  }
  const wanted = wantedVolumes(requests, attachments);
  const missing = wanted.filter((volume) => !attachmentOf(volume, attachments));
  const found = known && (await orProblem(() => cluster.find(missing)));
  signal?.throwIfAborted();

  type Rights = VolumeStatus['has'];
  const add = (
    { volume, snapshot = false }: Identity,
    requests: string[],
    wants: Rights,
    has: Rights,
    exists?: boolean,
  ) => {
    const path = join(deviceDir, volume);
    const row = { volume, snapshot, requests, wants, has, device: existsSync(path) ? path : null };
    volumes.push({ ...row, verdict: verdictOn(row, prefix, exists) });
  };
  for (const row of wanted) {
    const has = attachmentOf(row, attachments)?.rights ?? null;
    add(found?.get(row) ?? row, row.requests, row.rights === 2 ? 'rw' : 'ro', has, found?.has(row));
  }
  for (const attachment of attachments) {
    const isWanted = wanted.some((volume) => isSame(volume, attachment));
    if (!isWanted) add(attachment, [], null, attachment.rights);
  }
  volumes.sort((one, other) => (one.volume < other.volume ? -1 : Number(one.volume > other.volume)));
  return { client, prefix, volumes, problems };
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
