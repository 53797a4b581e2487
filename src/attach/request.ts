import { AttachError } from './attach-error.js';

/** 1 is read-only, 2 is read/write, as in the cache file. */
export type Rights = 1 | 2;

/** What this library looks at in a request, with the names of its members as they are on disk. */
export interface AttachRequestFields {
  /** The name of the volume, or of the snapshot. */
  volume: string;
  /** 1 is read-only, 2 is read/write. */
  rights: Rights;
  /** The request's ID once more. */
  id?: string;
  /** Whose request it is; the drivers put a word of their own here. */
  type?: string;
  /** Whether `volume` names a snapshot. Default: `false`. */
  volsnap?: boolean;
  /** A note that the drivers keep for themselves. */
  remove_on_detach?: boolean;
}

/** One request in the attachment cache. */
export interface AttachRequest extends AttachRequestFields {
  /** Members that others have put here are kept. */
  [member: string]: unknown;
}

/**
 * Whether an entry of the cache is a request: the check that `add()` makes before it writes, and `sync()` after reading.
 *
 * @param where - for the message, for example `in /path/of/the/cache`
 * @throws {@link AttachError} `EBADREQUEST` saying what is wrong and where it stands.
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

/** The volume that an entry of the cache is for, whatever else is wrong with it. */
export function volumeOf(entry: unknown): string | undefined {
  const { volume } = (entry ?? {}) as { volume?: unknown };
  return typeof volume === 'string' ? volume : undefined;
}
