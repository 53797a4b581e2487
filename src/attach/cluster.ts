import { Api } from '../api/api.js';
import { quote } from '../api/names.js';
import type { ApiCallOptions } from '../api/options.js';
import type { ReassignEntry } from '../api/types.js';
import { onAbort, untilAborted } from '../async/abort.js';
import { existing, type ListCall } from './existing.js';
import type { AttachDBApi } from './options.js';
import { type AttachmentState, type Host, isOurs, type WantedVolume } from './plan.js';

/** Milliseconds after which the attachments are read again, because other programs may change them too. */
const MAX_AGE = 1000;

/** The attachments of this host, read once for all calls that share a hold of the lock. */
export class KnownAttachments {
  #known: readonly AttachmentState[] = [];
  #readAt = Number.NEGATIVE_INFINITY;

  async read(
    list: () => Promise<readonly AttachmentState[]>,
    host: Host,
  ): Promise<readonly AttachmentState[]> {
    const now = performance.now();
    if (now - this.#readAt > MAX_AGE) {
      this.#known = (await list()).filter(isOurs(host));
      this.#readAt = now;
    }
    return this.#known;
  }

  /** Sends a change, and applies it to what is known. If that fails, it is not known what is attached. */
  async change(entry: ReassignEntry, send: () => Promise<unknown>): Promise<void> {
    const readAt = this.#readAt;
    this.#readAt = Number.NEGATIVE_INFINITY;
    await send();
    this.#known = changed(this.#known, entry);
    this.#readAt = readAt;
  }
}

/** The calls that one attempt makes to the cluster. */
export class Cluster {
  readonly host: Host;
  readonly #api: AttachDBApi;
  readonly #known: KnownAttachments;
  readonly #checkLock: () => Promise<void>;
  readonly #options: ApiCallOptions;
  readonly #leave: (reason: unknown) => void;

  /**
   * @param checkLock - throws when the lock is no longer held: then nothing may be changed
   * @param options - for each call; left out if empty, because mocks compare arguments
   * @param leave - called when the signal is aborted while a change is under way: the caller need not wait for it
   */
  constructor(
    api: AttachDBApi,
    host: Host,
    known: KnownAttachments,
    checkLock: () => Promise<void>,
    options: ApiCallOptions,
    leave: (reason: unknown) => void,
  ) {
    this.#api = api;
    this.host = host;
    this.#known = known;
    this.#checkLock = checkLock;
    this.#options = options;
    this.#leave = leave;
  }

  /** This host's attachments of volumes and snapshots of this OpenStack. */
  attachments(): Promise<readonly AttachmentState[]> {
    return this.#known.read(
      () => this.#list('attachmentsList', (...options) => this.#api.attachmentsList(...options)),
      this.host,
    );
  }

  /** Which of these volumes and snapshots the cluster has. */
  existing(wanted: readonly WantedVolume[]): Promise<(one: WantedVolume) => boolean> {
    return existing(this.#api, wanted, (name, call) => this.#list(name, call));
  }

  attach({ volume, snapshot, rights }: Pick<WantedVolume, 'volume' | 'snapshot' | 'rights'>): Promise<void> {
    const clients = [this.host.clientId];
    if (snapshot) return this.#reassign({ snapshot: volume, ro: clients });
    return this.#reassign(rights === 2 ? { volume, rw: clients } : { volume, ro: clients });
  }

  detach({ volume, snapshot }: { volume: string; snapshot: boolean }, force: boolean): Promise<void> {
    const change = { detach: [this.host.clientId], force };
    return this.#reassign(snapshot ? { snapshot: volume, ...change } : { volume, ...change });
  }

  async #reassign(entry: ReassignEntry): Promise<void> {
    await this.#checkLock();
    this.#options.signal?.throwIfAborted();
    await this.#known.change(entry, () =>
      this.#change((...options) => this.#api.volumesReassign([entry], ...options)),
    );
  }

  /**
   * The service carries out what it was sent, also when nobody waits for the answer. So the answer is waited for under
   * the lock, signal or not: who has the lock next must not go by what was before.
   */
  async #change<T>(call: (...options: [ApiCallOptions?]) => Promise<T>): Promise<T> {
    const { signal, ...options } = this.#options;
    // An api that somebody else wrote may never answer.
    if (signal === undefined || !(this.#api instanceof Api)) return this.#call(call);
    const stopListening = onAbort(signal, () => this.#leave(signal.reason));
    try {
      return await call(options);
    } finally {
      stopListening();
    }
  }

  /** @throws TypeError for a mock that lacks the call, or returns something else */
  async #list<T>(name: keyof AttachDBApi, call: ListCall<T>): Promise<readonly T[]> {
    if (typeof this.#api[name] !== 'function') {
      throw new TypeError(`api.${name} is not a function: give the mock each call that AttachDB makes`);
    }
    const list: unknown = await this.#call(call);
    if (Array.isArray(list)) return list;
    throw new TypeError(
      `api.${name}() resolved to ${quote(list)}, not to a list: give the mock a result for this call`,
    );
  }

  /** An injected api may not listen to the signal. */
  #call<T>(call: (...options: [ApiCallOptions?]) => Promise<T>): Promise<T> {
    const options: [ApiCallOptions?] = Object.keys(this.#options).length === 0 ? [] : [this.#options];
    return untilAborted(() => call(...options), this.#options.signal);
  }
}

/** The attachments after a reassignment as this library sends it: for one client, in one direction. */
function changed(known: readonly AttachmentState[], entry: ReassignEntry): readonly AttachmentState[] {
  const volume = entry.volume ?? entry.snapshot;
  const snapshot = entry.snapshot !== undefined;
  const client = entry.rw?.[0] ?? entry.ro?.[0];
  const others = known.filter((one) => one.volume !== volume || one.snapshot !== snapshot);
  return client === undefined
    ? others
    : [...others, { volume, snapshot, client: Number(client), rights: entry.rw ? 'rw' : 'ro' }];
}
