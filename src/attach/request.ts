import { warnOnce } from '../observe/warn-once.js';
import { AttachError } from './attach-error.js';

/** 1 is read-only, 2 is read/write, as in the cache file. */
export type Rights = 1 | 2;

/** The members of a request that this library uses, with their names on disk. */
export interface AttachRequestFields {
  /** The name of the volume, or of the snapshot. */
  volume: string;
  /** 1 is read-only, 2 is read/write. */
  rights: Rights;
  /** The request ID; filled in if it is missing. The Python services need it in each entry. */
  id?: string;
  /** Who made the request. Default: `storpool-spopenstack`. */
  type?: string;
  /** Whether `volume` names a snapshot. Default: `false`. */
  volsnap?: boolean;
  /** A note that the drivers keep for themselves. */
  remove_on_detach?: boolean;
}

/** One request in the attachment cache. */
export interface AttachRequest extends AttachRequestFields {
  /** Members that other programs have added are kept. */
  [member: string]: unknown;
}

/**
 * Checks that an entry of the cache is a request, as `add()` does before it writes, and `sync()` after it reads.
 *
 * @param where - for the message, for example `in /path/of/the/cache`
 * @throws {@link AttachError} `EBADREQUEST`, which says what is wrong and where.
 */
export function checkRequest(reqId: string, request: unknown, where: string): AttachRequest {
  const bad = (problem: string) =>
    new AttachError('EBADREQUEST', `Request ${reqId} ${where} ${problem}; correct it or remove it`);
  if (typeof request !== 'object' || request === null || Array.isArray(request)) {
    throw bad('is not an object');
  }
  const { volume, rights } = request as Partial<Record<string, unknown>>;
  if (typeof volume !== 'string' || volume === '') throw bad('names no volume');
  if (rights !== 1 && rights !== 2) {
    throw bad(`has the rights ${JSON.stringify(rights)} instead of 1 (read-only) or 2 (read/write)`);
  }
  return request as AttachRequest;
}

/** The `type` of requests that have none. */
const TYPE = 'storpool-spopenstack';

/**
 * A request as it goes into the cache: with the `id` and the `type` that the Python services read from each entry.
 * Warns once of a member that is probably misspelled.
 *
 * @param what - what it is for, in messages
 * @throws {@link AttachError} `EBADREQUEST`
 *
 * @internal
 */
export function completeRequest(
  reqId: string,
  given: unknown,
  what: string,
  log: { warn(message: string): void },
): AttachRequest {
  checkReqId(reqId);
  const request = checkRequest(reqId, given, what);
  const { id = reqId, type = TYPE } = request;
  if (id !== reqId) {
    throw new AttachError(
      'EBADREQUEST',
      `Request ${reqId} ${what} has the id ${JSON.stringify(id)}: leave it out, or give the request ID`,
    );
  }
  for (const [name, meant] of misspelledMembers(request)) {
    const message = `Request ${reqId} ${what} has the unknown member ${name}: did you mean ${meant}?`;
    warnOnce((text) => log.warn(text), `member ${name}`, message);
  }
  return { ...request, id, type };
}

/**
 * @throws {@link AttachError} `EBADREQUEST` when a JavaScript caller passes something other than a string.
 *
 * @internal
 */
export function checkReqId(reqId: unknown): void {
  if (typeof reqId === 'string') return;
  throw new AttachError('EBADREQUEST', `The request ID is ${String(reqId)}: give a string`);
}

const MEMBERS = ['volume', 'rights', 'id', 'type', 'volsnap', 'remove_on_detach'];

/** The members of a request that look like a known one misspelled, for example `volsnp`. @internal */
export function misspelledMembers(request: AttachRequest): [given: string, meant: string][] {
  return Object.keys(request).flatMap((given) => {
    const meant = MEMBERS.includes(given) ? undefined : MEMBERS.find((member) => isNear(given, member));
    return meant === undefined ? [] : [[given, meant] as [string, string]];
  });
}

/** Whether two names differ only in case and separators, or in one letter. */
function isNear(given: string, member: string): boolean {
  const [a, b] = [given, member].map((name) => name.toLowerCase().replaceAll(/[_-]/gu, '')) as [
    string,
    string,
  ];
  if (a === b) return true;
  // Too many names are one letter away from a short one.
  if (b.length < 5 || Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start++;
  const [restA, restB] = [a.slice(start), b.slice(start)];
  return restA.slice(1) === restB.slice(1) || restA.slice(1) === restB || restA === restB.slice(1);
}

/** The volume that an entry of the cache is for, even if the entry is not a valid request. @internal */
export function volumeOf(entry: unknown): string | undefined {
  const { volume } = (entry ?? {}) as { volume?: unknown };
  return typeof volume === 'string' ? volume : undefined;
}

/** Whether an entry of the cache names a snapshot. @internal */
export const isSnapshot = (entry: unknown): boolean =>
  Boolean((entry as { volsnap?: unknown } | null)?.volsnap);
