import { AttachError } from './attach-error.js';
import type { Identity } from './identity.js';

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
  /** When `attach()` was last called for it, for example `2030-01-31T12:00:00.000Z`. `attach()` writes it. */
  since?: string;
  /**
   * The global ID of the volume or snapshot, without `~`. `attach()` writes it if the cluster has global IDs. It
   * decides which volume is meant when the volume has got another name.
   */
  global_id?: string;
}

/** One request in the attachment cache. */
export interface AttachRequest extends AttachRequestFields {
  /** Members that other programs have added are kept. */
  [member: string]: unknown;
}

/**
 * Checks that an entry of the cache is a request, as `add()` does before it writes, and `sync()` after it reads.
 * @param where - for the message, for example `in /path/of/the/cache`
 * @throws {@link AttachError} `EBADREQUEST`, which says what is wrong and where.
 */
export function checkRequest(reqId: string, request: unknown, where: string): AttachRequest {
  const bad = (problem: string) => badRequest(`${reqId} ${where} ${problem}; correct it or remove it`);
  if (typeof request === 'string') {
    throw bad(`is a string instead of an object: { volume: ${JSON.stringify(request)}, rights: 2 }`);
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request))
    throw bad('is not an object');
  const { volume, rights } = request as Partial<Record<string, unknown>>;
  if (typeof volume !== 'string' || volume === '') throw bad('names no volume');
  if (rights !== 1 && rights !== 2) {
    throw bad(`has the rights ${JSON.stringify(rights)} instead of 1 (read-only) or 2 (read/write)`);
  }
  return request as AttachRequest;
}

/** A request as the cache should hold it: with what the Python services read from each entry. @internal */
export function completeRequest(reqId: string, given: AttachRequestFields, where: string): AttachRequest {
  checkReqId(reqId);
  const request = checkRequest(reqId, given, where);
  const { id = reqId, type = 'storpool-spopenstack' } = request;
  if (id === reqId) return { ...request, id, type };
  throw badRequest(
    `${reqId} ${where} has the id ${JSON.stringify(id)}: leave it out, or give the request ID`,
  );
}

const badRequest = (problem: string) => new AttachError('EBADREQUEST', `Request ${problem}`);

/** @throws {@link AttachError} `EBADREQUEST` for something other than a string @internal */
export function checkReqId(reqId: unknown): void {
  if (typeof reqId === 'string') return;
  throw new AttachError('EBADREQUEST', `The request ID is ${String(reqId)}: give a string`);
}

/** What an entry of the cache is for, even if the entry is not a valid request. @internal */
export function identityOf(entry: unknown): Identity {
  const { volume, volsnap, global_id } = (entry ?? {}) as Partial<Record<string, unknown>>;
  return {
    volume: typeof volume === 'string' ? volume : '',
    snapshot: Boolean(volsnap),
    globalId: typeof global_id === 'string' ? global_id.replace(/^~/u, '') : undefined,
  };
}
