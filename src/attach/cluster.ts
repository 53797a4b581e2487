import { Api } from '../api/api.js';
import { ApiError } from '../api/errors/api-error.js';
import { isName, type NameKind, quote } from '../api/names.js';
import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import { onAbort, untilAborted } from '../async/abort.js';
import { startTimer } from '../async/sleep.js';
import type { FileLock } from '../store/file-lock.js';
import { AttachError } from './attach-error.js';
import { type AttachmentState, type Host, type Identity, isOnThisHost, isSame } from './identity.js';
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

/** A call of the API, to be made with the options that every call gets. */
type Call<T> = (...options: [ApiCallOptions?]) => Promise<T>;

const ENDED = new Error('The attempt has ended');

/** How {@link Cluster} asks the API. */
export interface ClusterOptions {
  api: AttachDBApi;
  /** Whether it is the client that AttachDB has made: then each request is sent once, and ends with the time. */
  isOwnClient: boolean;
  host: Host;
  /** Milliseconds for all calls together. */
  timeout: number;
  signal: AbortSignal | undefined;
  /** What must be held for changes. */
  lock: FileLock | undefined;
}

/** The questions and changes that one attempt asks of the API, within the time that the lock may be held for them. */
export class Cluster {
  readonly host: Host;
  readonly #api: AttachDBApi;
  readonly #isOwnClient: boolean;
  readonly #timeout: number;
  readonly #signal: AbortSignal | undefined;
  readonly #lock: FileLock | undefined;
  /** Ends the wait for what is changed: when the time is up. */
  readonly #changes = new AbortController();
  /** Ends what is asked: then, too, and when the caller's signal is aborted. */
  readonly #questions: AbortController;
  readonly #stopListening: () => void;
  #timer: NodeJS.Timeout | undefined;
  #timeIsUp: AttachError | undefined;
  #startedAt: number | undefined;
  #hasChanged = false;

  constructor({ api, isOwnClient, host, timeout, signal, lock }: ClusterOptions) {
    this.#api = api;
    this.#isOwnClient = isOwnClient;
    this.host = host;
    this.#timeout = timeout;
    this.#signal = signal;
    this.#lock = lock;
    this.#questions = signal === undefined ? this.#changes : new AbortController();
    if (signal?.aborted) this.#questions.abort(signal.reason);
    this.#stopListening = onAbort(signal, () => this.#questions.abort(signal?.reason));
  }

  /** Nothing is asked after this, and what is still being asked, beside a question that failed, is given up. */
  end(): void {
    clearTimeout(this.#timer);
    this.#stopListening();
    this.#questions.abort(ENDED);
  }

  /**
   * Whether the next change should be left to another hold of the lock. Each hold makes at least one, and starts none
   * with less than half of its time, so that only a service that is too slow for any hold runs out of it.
   */
  get isShortOfTime(): boolean {
    const used = performance.now() - (this.#startedAt ?? performance.now());
    return this.#hasChanged && used > this.#timeout / 2;
  }

  /** This host's attachments. */
  async attachments(): Promise<AttachmentState[]> {
    const all = await this.#list('attachmentsList', (...options) => this.#api.attachmentsList(...options));
    return all.filter((attachment) => isOnThisHost(this.host, attachment));
  }

  /**
   * Looks for volumes and snapshots in the cluster, side by side: by name, and by global ID where the name is gone, or
   * another one's.
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
    const clients = [this.host.clientId];
    if (snapshot) return this.#reassign({ snapshot: volume, ro: clients });
    return this.#reassign(rights === 2 ? { volume, rw: clients } : { volume, ro: clients });
  }

  /** A forced detach is waited for, however long it takes: carried out late, it could hit whoever attached it since. */
  detach({ volume, snapshot }: Identity, force: boolean): Promise<unknown> {
    const change = { detach: [this.host.clientId], force };
    return this.#reassign(snapshot ? { snapshot: volume, ...change } : { volume, ...change }, !force);
  }

  #reassign(entry: ReassignEntry, isBounded = true): Promise<unknown> {
    this.#lock?.check();
    this.#signal?.throwIfAborted();
    const options: ApiCallOptions = this.#isOwnClient
      ? { transientRetries: 0, ...(isBounded && { signal: this.#changes.signal }) }
      : // A request that has been sent is carried out, so an Api waits for the answer. A mock sees the signal.
        { ...(this.#signal && !(this.#api instanceof Api) && { signal: this.#signal }) };
    const send: Call<unknown> = (...given) => this.#api.volumesReassign([entry], ...given);
    this.#hasChanged = true;
    return this.#call('volumesReassign', send, options, isBounded ? this.#changes.signal : undefined);
  }

  async #findAmong<W extends Identity>(
    kind: NameKind,
    wanted: readonly W[],
    found: Map<W, Identity>,
  ): Promise<void> {
    const names = wanted.map(({ volume }) => volume).filter((name) => isName(kind, name));
    if (names.length === 0) return;
    const { one, all } = LISTS[kind];
    const readOne = this.#api[one]?.bind(this.#api);
    if (readOne === undefined || names.length > MOST_BY_NAME) {
      match(wanted, kind, await this.#list(all, (...options) => this.#api[all](...options)), found);
      return;
    }
    const read = (name: string) => this.#list(one, (...options) => readOne(name, ...options));
    match(wanted, kind, await readEach(names, read), found);
    const renamed = wanted.filter((volume) => !found.has(volume)).flatMap(({ globalId }) => globalId ?? []);
    const ids = renamed.map((globalId) => `~${globalId}`);
    match(wanted, kind, await readEach(ids, read), found);
  }

  /** Asks something. @throws TypeError for a mock that lacks the call, or returns something else */
  async #list<T>(name: keyof AttachDBApi, call: Call<readonly T[]>): Promise<readonly T[]> {
    if (typeof this.#api[name] !== 'function') {
      throw new TypeError(`api.${name} is not a function: give the mock each call that AttachDB makes`);
    }
    const { signal } = this.#questions;
    const options: ApiCallOptions = this.#isOwnClient
      ? { transientRetries: 0, signal }
      : { ...(this.#signal && { signal: this.#signal }) };
    const list: unknown = await this.#call(name, call, options, signal);
    if (Array.isArray(list)) return list;
    throw new TypeError(
      `api.${name}() resolved to ${quote(list)}, not to a list: give the mock a result for this call`,
    );
  }

  /**
   * Makes a call, and waits for its answer until `end`. An api that somebody else wrote need not listen to a signal, and
   * gets no options where there are none, because mocks compare arguments.
   */
  async #call<T>(
    name: keyof AttachDBApi,
    call: Call<T>,
    options: ApiCallOptions,
    end: AbortSignal | undefined,
  ): Promise<T> {
    this.#startedAt ??= performance.now();
    this.#timer ??= startTimer(this.#timeout, () => {
      this.#timeIsUp = new AttachError('ETIMEDOUT', `The API did not answer within ${this.#timeout} ms`);
      this.#questions.abort(this.#timeIsUp);
      this.#changes.abort(this.#timeIsUp);
    });
    try {
      return await untilAborted(() => (Object.keys(options).length === 0 ? call() : call(options)), end);
    } catch (error) {
      if (error === undefined || error !== this.#timeIsUp) throw error;
      throw new AttachError(
        'ETIMEDOUT',
        `The API did not answer ${name} within ${this.#timeout} ms: is the management service running? If it is only slow, try again with a longer timeout`,
      );
    }
  }
}

/** Notes which of the wanted volumes, or snapshots, are among those that were read. */
function match<W extends Identity>(
  wanted: readonly W[],
  kind: NameKind,
  objects: readonly Named[],
  found: Map<W, Identity>,
): void {
  if (objects.length === 0) return;
  const byName = new Map(objects.map((object) => [object.name, object]));
  const byId = new Map(objects.map((object) => [object.globalId, object]));
  for (const volume of wanted) {
    const object = (volume.globalId && byId.get(volume.globalId)) || byName.get(volume.volume);
    if (object === undefined) continue;
    const identity = { volume: object.name, snapshot: kind === 'snapshot', globalId: object.globalId };
    if (isSame(volume, identity)) found.set(volume, identity);
  }
}

/** Reads side by side, {@link SIDE_BY_SIDE} at a time, until one fails. */
async function readEach(
  names: readonly string[],
  read: (name: string) => Promise<readonly Named[]>,
): Promise<Named[]> {
  const found: Named[] = [];
  const left = new Set(names).values();
  let failed = false;
  const readOn = async () => {
    for (const name of left) {
      if (failed) return;
      found.push(...(await unlessMissing(read(name))));
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  const many = Math.min(SIDE_BY_SIDE, names.length);
  await Promise.all(Array.from({ length: many }, () => readOn().catch(stop)));
  return found;
}

async function unlessMissing(read: Promise<readonly Named[]>): Promise<readonly Named[]> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'objectDoesNotExist') return [];
    throw error;
  }
}
