import { Api } from '../api/api.js';
import { ApiConnectionError } from '../api/errors/api-connection-error.js';
import { ApiError } from '../api/errors/api-error.js';
import { isName, type NameKind, quote } from '../api/names.js';
import type { ReassignEntry } from '../api/types.js';
import { untilAborted } from '../async/abort.js';
import type { FileLock } from '../store/file-lock.js';
import { AttachError, NotSent } from './attach-error.js';
import { type AttachmentState, type Identity, isSame } from './identity.js';
import type { AttachDBApi, Named, ResolvedOptions } from './options.js';

/**
 * The most volumes, or snapshots, to read one by one; for more, the whole list is read. That is faster from about 16
 * names with 1,000 volumes, and from about 250 with 20,000: 64 costs little, and saves a large cluster megabytes.
 */
const MOST_BY_NAME = 64;
/** How many to read at a time, because each takes a connection to a service that also serves other hosts. */
const SIDE_BY_SIDE = 16;

/** The calls that list one object by its name, and all of them. */
const LISTS = {
  volume: { one: 'volumeList', all: 'volumesList' },
  snapshot: { one: 'snapshotList', all: 'snapshotsList' },
} as const;

const CALLS = [
  'attachmentsList',
  'volumesList',
  'snapshotsList',
  'volumeList',
  'snapshotList',
  'volumesReassign',
] as const;
/** As they are now: a test may replace those of the prototype, too. */
const OURS = CALLS.map((name) => Api.prototype[name]);

/** Whether an API runs code that is not ours: a mock, or an Api with a call that a test has replaced. */
export const runsOthersCode = (api: AttachDBApi): boolean => CALLS.some((name, nr) => api[name] !== OURS[nr]);

/** How {@link Cluster} asks the API. */
export interface ClusterOptions extends Pick<ResolvedOptions, 'apiTimeout' | 'apiOptions'> {
  readonly api: AttachDBApi;
  /** Whether it is the client that AttachDB has made: then each request is sent once, and closed when the time is up. */
  readonly isOwnClient: boolean;
  readonly clientId: number;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
}

/** The questions and changes that one attempt asks of the API, within the time that the lock may be held for them. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #lock: FileLock | undefined;
  readonly #startedAt = performance.now();
  #hasChanged = false;

  /** @param lock - what must be held for changes */
  constructor(options: ClusterOptions, lock?: FileLock) {
    this.#options = options;
    this.#lock = lock;
  }

  /**
   * Whether the next change should be left to another hold of the lock. The first one of a hold is always made, further
   * ones only while half of the time is left, so that only a service that is too slow for any hold runs out of it.
   */
  get isShortOfTime(): boolean {
    return this.#hasChanged && this.#timeLeft < this.#options.apiTimeout / 2;
  }

  get #timeLeft(): number {
    return Math.ceil(this.#options.apiTimeout - (performance.now() - this.#startedAt));
  }

  /** This host's attachments. */
  async attachments(): Promise<AttachmentState[]> {
    const all = await this.#list<AttachmentState>('attachmentsList');
    // An API may spell the client in digits.
    return all.filter(({ client }) => Number(client) === this.#options.clientId);
  }

  /**
   * Looks for volumes and snapshots in the cluster: by name, and by global ID where the name is gone, or another one's.
   * @returns those that it has, under the names that they have now
   */
  async find<W extends Identity>(wanted: readonly W[]): Promise<Map<W, Identity>> {
    const of = (kind: boolean) => wanted.filter(({ snapshot = false }) => snapshot === kind);
    const found = await Promise.all([this.#find('volume', of(false)), this.#find('snapshot', of(true))]);
    return new Map(found.flat());
  }

  attach({ volume, snapshot, rights }: Identity & { rights: 1 | 2 }): Promise<void> {
    const clients = [this.#options.clientId];
    if (snapshot) return this.#reassign({ snapshot: volume, ro: clients });
    return this.#reassign(rights === 2 ? { volume, rw: clients } : { volume, ro: clients });
  }

  /** A forced detach is waited for as long as the client does: carried out late, it could hit whoever attached it since. */
  detach({ volume, snapshot }: Identity, force: boolean): Promise<void> {
    const name = snapshot ? { snapshot: volume } : { volume };
    return this.#reassign({ ...name, detach: [this.#options.clientId], force }, !force);
  }

  async #reassign(entry: ReassignEntry, isBounded = true): Promise<void> {
    this.#lock?.check();
    this.#hasChanged = true;
    await this.#call('volumesReassign', [[entry]], true, isBounded);
  }

  async #find<W extends Identity>(kind: NameKind, wanted: readonly W[]): Promise<[W, Identity][]> {
    const { one, all } = LISTS[kind];
    const names = wanted.map(({ volume }) => volume).filter((name) => isName(kind, name));
    if (names.length === 0) return [];
    const readsAll = names.length > MOST_BY_NAME || this.#options.api[one] === undefined;
    const objects = readsAll ? await this.#list<Named>(all) : await this.#listEach(one, names);
    const found = match(kind, wanted, objects);
    if (readsAll || found.length === wanted.length) return found;
    const missing = wanted.filter((volume) => !found.some(([other]) => other === volume));
    const ids = missing.flatMap(({ globalId }) => (globalId ? [`~${globalId}`] : []));
    return [...found, ...match(kind, missing, await this.#listEach(one, ids))];
  }

  async #listEach(one: 'volumeList' | 'snapshotList', names: readonly string[]): Promise<Named[]> {
    const found: Named[] = [];
    for (let left = [...new Set(names)]; left.length > 0; left = left.slice(SIDE_BY_SIDE)) {
      const lists = left
        .slice(0, SIDE_BY_SIDE)
        .map((name) => this.#list<Named>(one, name).catch(noneIfMissing));
      found.push(...(await Promise.all(lists)).flat());
    }
    return found;
  }

  /** Asks something. @throws TypeError for a mock that returns something else */
  async #list<T>(name: keyof AttachDBApi, ...args: string[]): Promise<readonly T[]> {
    const list = await this.#call(name, args);
    if (Array.isArray(list)) return list;
    throw new TypeError(
      `api.${name}() resolved to ${quote(list)}, not to a list: give the mock a result for this call`,
    );
  }

  /**
   * Makes a call, and waits for its answer; if that is bounded, no longer than there is time. A question ends with the
   * caller's signal. What changes something is waited for: a later holder of the lock must not be surprised by it.
   * @throws TypeError for a mock that lacks the call
   */
  async #call(
    name: keyof AttachDBApi,
    args: readonly unknown[],
    isChange = false,
    isBounded = true,
  ): Promise<unknown> {
    const { api, apiTimeout, apiOptions, isOwnClient, signal } = this.#options;
    signal?.throwIfAborted();
    const call = api[name] as (...all: unknown[]) => Promise<unknown>;
    if (typeof call !== 'function') {
      throw new TypeError(`api.${name} is not a function: give the mock each call that AttachDB makes`);
    }
    const timeLeft = isBounded ? this.#timeLeft : Number.POSITIVE_INFINITY;
    // A slow disk may have taken the time. What nobody can wait for is not sent: it would be carried out without the lock.
    if (timeLeft <= 0) {
      throw new NotSent(
        'ETIMEDOUT',
        `Of ${apiTimeout} ms, none was left to send ${name}: give a longer apiTimeout`,
      );
    }
    const lateError = () =>
      new AttachError(
        'ETIMEDOUT',
        `The API did not answer ${name} within ${apiTimeout} ms: is the management service running? If it is only slow, try again with a longer timeout (apiTimeout)`,
      );
    const ending = isChange ? undefined : signal;
    const ours = { transientRetries: 0, timeout: timeLeft, signal: ending };
    if (isOwnClient && !runsOthersCode(api)) {
      // It keeps the time itself, and sends nothing after that.
      return await call.call(api, ...args, ours).catch((error: unknown) => {
        const isTimeout = error instanceof ApiConnectionError && error.code === 'ETIMEDOUT';
        throw isTimeout && isBounded && timeLeft <= (apiOptions.timeout ?? timeLeft) ? lateError() : error;
      });
    }
    // Once the time is up, an Api must not send a change, or repeat it; and the caller's signal must not end it.
    const over = isChange && api instanceof Api ? new AbortController() : undefined;
    // A mock is given the caller's signal, and nothing else.
    const shown = over ? over.signal : signal;
    const options = isOwnClient ? { ...ours, signal: shown } : shown && { signal: shown };
    const start = () => call.call(api, ...args, ...(options ? [options] : []));
    return await untilAborted(start, ending, timeLeft, () => {
      over?.abort();
      return lateError();
    });
  }
}

/** Those that are among the objects, each with what it is called now. */
const match = <W extends Identity>(kind: NameKind, wanted: readonly W[], objects: readonly Named[]) => {
  const all = objects.map(({ name, globalId }): Identity => {
    return { volume: name, snapshot: kind === 'snapshot', globalId };
  });
  return wanted.flatMap((volume): [W, Identity][] => {
    const object = all.find((one) => isSame(volume, one));
    return object === undefined ? [] : [[volume, object]];
  });
};

const noneIfMissing = (error: unknown): Named[] => {
  if (error instanceof ApiError && error.code === 'objectDoesNotExist') return [];
  throw error;
};
