import { Api } from '../api/api.js';
import { ApiError } from '../api/errors/api-error.js';
import { isName, type NameKind, quote } from '../api/names.js';
import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import { onAbort, untilAborted } from '../async/abort.js';
import { startTimer } from '../async/sleep.js';
import type { FileLock } from '../store/file-lock.js';
import { AttachError } from './attach-error.js';
import { type AttachmentState, type Identity, isSame } from './identity.js';
import type { AttachDBApi, Named } from './options.js';

/**
 * The most volumes, or snapshots, to read one by one; for more, the whole list is read. The
 * list is faster from about 16 names with 1,000 volumes, and from about 250 names with 20,000: 64 costs a small
 * cluster a few milliseconds, and saves a large one megabytes.
 */
const MOST_BY_NAME = 64;
/** How many to read at a time, because each takes a connection to a service that also serves other hosts. */
const SIDE_BY_SIDE = 16;

/** The calls that list one object by its name, and all of them. */
const LISTS = {
  volume: { one: 'volumeList', all: 'volumesList' },
  snapshot: { one: 'snapshotList', all: 'snapshotsList' },
} as const;

/** Why a call is given up. */
const TIME_IS_UP = new Error('The time is up');

/** How {@link Cluster} asks the API. */
export interface ClusterOptions {
  api: AttachDBApi;
  /** Whether it is the client that AttachDB has made: then each request is sent once, and ends with the time. */
  isOwnClient: boolean;
  clientId: number;
  /** Milliseconds for all calls together. */
  timeout: number;
  signal: AbortSignal | undefined;
}

/** The questions and changes that one attempt asks of the API, within the time that the lock may be held for them. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #lock: FileLock | undefined;
  /** Ends what is under way: when the time is up, and at the end; a question also with the caller's signal. */
  readonly #end = new AbortController();
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #startedAt: number | undefined;
  #isChanging = false;
  #hasChanged = false;

  /** @param lock - what must be held for changes */
  constructor(options: ClusterOptions, lock?: FileLock) {
    const { signal } = options;
    this.#options = options;
    this.#lock = lock;
    this.#stopListening = onAbort(signal, () => {
      // What changes something is waited for: a later holder of the lock must not be surprised by it.
      if (!this.#isChanging) this.#end.abort(signal?.reason);
    });
  }

  /** Nothing is asked after this, and what is still being asked, beside a question that failed, is given up. */
  end(): void {
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#end.abort();
  }

  /**
   * Whether the next change should be left to another hold of the lock. Each hold makes at least one, and starts none
   * with less than half of its time, so that only a service that is too slow for any hold runs out of it.
   */
  get isShortOfTime(): boolean {
    const used = performance.now() - (this.#startedAt ?? performance.now());
    return this.#hasChanged && used > this.#options.timeout / 2;
  }

  /** This host's attachments. */
  async attachments(): Promise<AttachmentState[]> {
    const all = await this.#list<AttachmentState>('attachmentsList');
    // An API may spell the client in digits.
    return all.filter(({ client }) => Number(client) === this.#options.clientId);
  }

  /**
   * Looks for volumes and snapshots in the cluster: by name, and by global ID where the name is gone, or another one's.
   *
   * @returns those that it has, under the names that they have now
   */
  async find<W extends Identity>(wanted: readonly W[]): Promise<Map<W, Identity>> {
    const found = new Map<W, Identity>();
    const volumes = wanted.filter(({ snapshot }) => !snapshot);
    const snapshots = wanted.filter(({ snapshot }) => snapshot);
    await Promise.all([
      this.#findAmong('volume', volumes, found),
      this.#findAmong('snapshot', snapshots, found),
    ]);
    return found;
  }

  attach({ volume, snapshot, rights }: Identity & { rights: 1 | 2 }): Promise<unknown> {
    const clients = [this.#options.clientId];
    if (snapshot) return this.#reassign({ snapshot: volume, ro: clients });
    return this.#reassign(rights === 2 ? { volume, rw: clients } : { volume, ro: clients });
  }

  /** A forced detach is waited for, however long it takes: carried out late, it could hit whoever attached it since. */
  detach({ volume, snapshot }: Identity, force: boolean): Promise<unknown> {
    const change = { detach: [this.#options.clientId], force };
    return this.#reassign(snapshot ? { snapshot: volume, ...change } : { volume, ...change }, !force);
  }

  async #reassign(entry: ReassignEntry, isBounded = true): Promise<void> {
    this.#lock?.check();
    this.#isChanging = true;
    this.#hasChanged = true;
    try {
      await this.#call('volumesReassign', [[entry]], isBounded);
    } finally {
      this.#isChanging = false;
    }
  }

  async #findAmong<W extends Identity>(
    kind: NameKind,
    wanted: readonly W[],
    found: Map<W, Identity>,
  ): Promise<void> {
    const { one, all } = LISTS[kind];
    const names = wanted.map(({ volume }) => volume).filter((name) => isName(kind, name));
    if (names.length === 0) return;
    if (names.length > MOST_BY_NAME || this.#options.api[one] === undefined) {
      match(wanted, kind, await this.#list(all), found);
      return;
    }
    match(wanted, kind, await this.#listEach(one, names), found);
    const renamed = wanted.filter((volume) => !found.has(volume)).flatMap(({ globalId }) => globalId ?? []);
    match(
      wanted,
      kind,
      await this.#listEach(
        one,
        renamed.map((globalId) => `~${globalId}`),
      ),
      found,
    );
  }

  async #listEach(one: 'volumeList' | 'snapshotList', names: readonly string[]): Promise<Named[]> {
    const left = [...new Set(names)];
    const found: Named[] = [];
    while (left.length > 0) {
      const lists = left.splice(0, SIDE_BY_SIDE).map((name) => unlessMissing(this.#list<Named>(one, name)));
      found.push(...(await Promise.all(lists)).flat());
    }
    return found;
  }

  /** Asks something. @throws TypeError for a mock that lacks the call, or returns something else */
  async #list<T>(name: keyof AttachDBApi, ...args: string[]): Promise<readonly T[]> {
    if (typeof this.#options.api[name] !== 'function') {
      throw new TypeError(`api.${name} is not a function: give the mock each call that AttachDB makes`);
    }
    const list = await this.#call(name, args);
    if (Array.isArray(list)) return list;
    throw new TypeError(
      `api.${name}() resolved to ${quote(list)}, not to a list: give the mock a result for this call`,
    );
  }

  /** Makes a call, and waits for its answer; if that is bounded, no longer than there is time. */
  async #call(name: keyof AttachDBApi, args: readonly unknown[], isBounded = true): Promise<unknown> {
    const { api, timeout, signal } = this.#options;
    signal?.throwIfAborted();
    this.#startedAt ??= performance.now();
    this.#timer ??= startTimer(timeout, () => this.#end.abort(TIME_IS_UP));
    const end = isBounded ? this.#end.signal : undefined;
    const options = this.#callOptions(end);
    const call = api[name] as (...all: unknown[]) => Promise<unknown>;
    try {
      // Somebody else's api need not listen to a signal.
      return await untilAborted(() => call.call(api, ...args, ...options), end);
    } catch (error) {
      if (error !== TIME_IS_UP) throw error;
      throw new AttachError(
        'ETIMEDOUT',
        `The API did not answer ${name} within ${timeout} ms: is the management service running? If it is only slow, raise apiTimeout`,
      );
    }
  }

  /** The options of a call; none where there are none, because mocks compare arguments. They see the caller's signal. */
  #callOptions(end: AbortSignal | undefined): ApiCallOptions[] {
    const { api, isOwnClient, signal } = this.#options;
    if (isOwnClient) return [{ transientRetries: 0, ...(end && { signal: end }) }];
    // A change that has been sent is carried out, so an Api waits for the answer.
    return signal && !(this.#isChanging && api instanceof Api) ? [{ signal }] : [];
  }
}

/** Notes which of the wanted volumes, or snapshots, are among those that were read. */
function match<W extends Identity>(
  wanted: readonly W[],
  kind: NameKind,
  objects: readonly Named[],
  found: Map<W, Identity>,
): void {
  const byName = new Map(objects.map((object) => [object.name, object]));
  const byId = new Map(objects.map((object) => [object.globalId, object]));
  for (const volume of wanted) {
    const object = (volume.globalId && byId.get(volume.globalId)) || byName.get(volume.volume);
    if (object === undefined) continue;
    const identity = { volume: object.name, snapshot: kind === 'snapshot', globalId: object.globalId };
    if (isSame(volume, identity)) found.set(volume, identity);
  }
}

async function unlessMissing(read: Promise<readonly Named[]>): Promise<readonly Named[]> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'objectDoesNotExist') return [];
    throw error;
  }
}
