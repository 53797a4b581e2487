import { type Attachment, type AttachRequest, checkRequest } from '../index.js';

/** A volume or snapshot that the cache wants or the cluster has attached to this host. */
export interface Row {
  volume: string;
  snapshot: boolean;
  /** The IDs of the requests for it. */
  requests: string[];
  /** What the requests ask for, and what this host has. */
  wants: 'rw' | 'ro' | null;
  has: 'rw' | 'ro' | null;
  /** The path of its device, if that is there. */
  device: string | null;
  verdict: Verdict;
  /** Whether an operator should look at it. */
  finding: boolean;
}

/** The entries of the cache, whatever they are, by their keys. */
export type Entries = ReadonlyMap<string, unknown>;
/** What is attached to this host. */
export type HostAttachments = readonly Pick<Attachment, 'volume' | 'snapshot' | 'rights'>[];
/** A row before the cluster was asked what it has. What is no request has its verdict already. */
export type Seen = Omit<Row, 'verdict' | 'finding'> & { verdict?: 'not a request' };

/** What is wrong with an entry of the cache, if anything. */
export function problemOf(reqId: string, entry: unknown, fname: string): string | undefined {
  try {
    checkRequest(reqId, entry, `in ${fname}`);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/**
 * Each volume once, as the request with the highest rights wants it, and each entry that is no request.
 *
 * @param deviceOf - the path of a volume's device, if it is there
 */
export function collect(
  entries: Entries,
  attachments: HostAttachments,
  deviceOf: (volume: string) => string | null,
): Seen[] {
  const nothing = { wants: null, has: null, device: null };
  const seen = new Map<string, Seen>();
  const bad: Seen[] = [];
  for (const [id, entry] of entries) {
    const { volume, volsnap, rights } = (entry ?? {}) as AttachRequest;
    if (problemOf(id, entry, '') !== undefined) {
      const name = typeof volume === 'string' ? volume : '';
      bad.push({ volume: name, snapshot: false, requests: [id], ...nothing, verdict: 'not a request' });
      continue;
    }
    const row = seen.get(volume) ?? { volume, snapshot: Boolean(volsnap), requests: [], ...nothing };
    row.requests.push(id);
    if (rights === 2 && row.wants !== 'rw') Object.assign(row, { snapshot: Boolean(volsnap), wants: 'rw' });
    row.wants ??= 'ro';
    seen.set(volume, row);
  }
  for (const { volume, snapshot, rights } of attachments) {
    const row = seen.get(volume) ?? { volume, snapshot, requests: [], ...nothing };
    seen.set(volume, { ...row, has: rights, device: deviceOf(volume) });
  }
  return [...seen.values(), ...bad];
}

export type Verdict = ReturnType<typeof verdictOn>;

function verdictOn(row: Seen, prefix: string, exists: (row: Seen) => boolean) {
  const { volume, wants, has, device, verdict } = row;
  if (verdict !== undefined) return verdict;
  if (!volume.startsWith(prefix)) return 'not ours: another prefix';
  if (has === null) return exists(row) ? 'not attached' : 'stale: not in the cluster';
  if (wants === null) return 'attached, but no request';
  if (wants === 'rw' && has === 'ro') return 'read-only, but read/write wanted';
  return device === null ? 'no device' : 'ok';
}

/** Findings first, then by name. */
export function judge(seen: readonly Seen[], prefix: string, exists: (row: Seen) => boolean): Row[] {
  const rows = seen.map((row): Row => {
    const verdict = verdictOn(row, prefix, exists);
    // What others have attached is their business.
    const theirs = verdict === 'not ours: another prefix' && row.wants === null;
    return { ...row, verdict, finding: verdict !== 'ok' && !theirs };
  });
  return rows.sort((a, b) => Number(b.finding) - Number(a.finding) || (a.volume < b.volume ? -1 : 1));
}
