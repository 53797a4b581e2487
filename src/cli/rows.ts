import { type Attachment, type AttachRequest, checkRequest } from '../index.js';

export type Verdict =
  | 'ok'
  | 'not attached'
  | 'attached, but no request'
  | 'read-only, but read/write wanted'
  | 'no device'
  | 'stale: not in the cluster'
  | 'not ours: another prefix'
  | 'not a request';

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

export type Entries = ReadonlyMap<string, unknown>;
export type HostAttachment = Pick<Attachment, 'volume' | 'snapshot' | 'client' | 'rights'>;

/** What the rows are made of. */
export interface Scene {
  /** The entries of the cache, whatever they are. */
  entries: Entries;
  /** Those of this host. */
  attachments: readonly HostAttachment[];
  prefix: string;
  /** The path of a volume's device, if it is there. */
  deviceOf(volume: string): string | null;
  /** Whether the cluster has it; asked only of what is not attached. */
  exists(volume: string, snapshot: boolean): boolean;
}

/** What is wrong with an entry of the cache, if anything. */
export function problemOf(reqId: string, entry: unknown, fname: string): string | undefined {
  try {
    checkRequest(reqId, entry, `in ${fname}`);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

interface Wanted {
  snapshot: boolean;
  wants: 'rw' | 'ro';
  requests: string[];
}

/** Each wanted volume once, as the request with the highest rights wants it; and the entries that are no requests. */
export function readEntries(entries: Entries): { wanted: Map<string, Wanted>; bad: string[] } {
  const wanted = new Map<string, Wanted>();
  const bad: string[] = [];
  for (const [id, entry] of entries) {
    if (problemOf(id, entry, '') !== undefined) {
      bad.push(id);
      continue;
    }
    const { volume, volsnap, rights } = entry as AttachRequest;
    const one = wanted.get(volume);
    const same = { snapshot: Boolean(volsnap), wants: rights === 2 ? 'rw' : 'ro' } as const;
    if (one === undefined) wanted.set(volume, { ...same, requests: [id] });
    else {
      one.requests.push(id);
      if (one.wants === 'ro' && same.wants === 'rw') Object.assign(one, same);
    }
  }
  return { wanted, bad };
}

/** The volumes and snapshots that are wanted, but not attached: it must be asked whether they exist. */
export function missing(
  entries: Entries,
  attachments: readonly HostAttachment[],
): { volume: string; snapshot: boolean }[] {
  const attached = new Set(attachments.map(({ volume }) => volume));
  return [...readEntries(entries).wanted]
    .filter(([volume]) => !attached.has(volume))
    .map(([volume, { snapshot }]) => ({ volume, snapshot }));
}

/** Findings first, then by name. */
export function rowsOf({ entries, attachments, prefix, deviceOf, exists }: Scene): Row[] {
  const { wanted, bad } = readEntries(entries);
  const attached = new Map(attachments.map((one) => [one.volume, one]));
  const rows = [...new Set([...wanted.keys(), ...attached.keys()])].map((volume): Row => {
    const request = wanted.get(volume);
    const attachment = attached.get(volume);
    const snapshot = request?.snapshot ?? attachment?.snapshot ?? false;
    const device = attachment === undefined ? null : deviceOf(volume);
    const [wants, has] = [request?.wants ?? null, attachment?.rights ?? null];
    const ours = volume.startsWith(prefix);
    const verdict = judge({ ours, wants, has, device, exists: () => exists(volume, snapshot) });
    const finding = verdict !== 'ok' && (ours || wants !== null);
    return { volume, snapshot, requests: request?.requests ?? [], wants, has, device, verdict, finding };
  });
  for (const id of bad) {
    const { volume } = (entries.get(id) ?? {}) as { volume?: unknown };
    const verdict = 'not a request';
    const named = typeof volume === 'string' ? volume : '';
    rows.push({
      volume: named,
      snapshot: false,
      requests: [id],
      wants: null,
      has: null,
      device: null,
      verdict,
      finding: true,
    });
  }
  return rows.sort((a, b) => Number(b.finding) - Number(a.finding) || (a.volume < b.volume ? -1 : 1));
}

interface Judged extends Pick<Row, 'wants' | 'has' | 'device'> {
  ours: boolean;
  exists: () => boolean;
}

function judge({ ours, wants, has, device, exists }: Judged): Verdict {
  if (!ours) return 'not ours: another prefix';
  if (has === null) return exists() ? 'not attached' : 'stale: not in the cluster';
  if (wants === null) return 'attached, but no request';
  if (wants === 'rw' && has === 'ro') return 'read-only, but read/write wanted';
  return device === null ? 'no device' : 'ok';
}

/** How many rows have which verdict, the worst first. */
export function countVerdicts(rows: readonly Row[]): Partial<Record<Verdict, number>> {
  const counts: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of rows) counts[verdict] = (counts[verdict] ?? 0) + 1;
  return counts;
}
