import type { ReassignEntry } from '../api/types.js';
import { type AttachDBApi, callOptions } from './attach-db-api.js';
import { type AttachmentState, type Host, isOurs } from './plan.js';

/** Milliseconds after which the attachments are read again: others than we may change them too. */
const MAX_AGE = 1000;

/** The attachments of the cluster, read once for all calls that share a hold of the lock. */
export class Attachments {
  readonly #api: () => AttachDBApi;
  readonly #host: Host;
  #known: readonly AttachmentState[] = [];
  #readAt = Number.NEGATIVE_INFINITY;

  /**
   * @param api - made when it is needed
   * @param host - whose attachments to keep: in a large cluster most are other hosts'
   */
  constructor(api: () => AttachDBApi, host: Host) {
    this.#api = api;
    this.#host = host;
  }

  async read(signal: AbortSignal | undefined): Promise<readonly AttachmentState[]> {
    if (performance.now() - this.#readAt > MAX_AGE) {
      const at = performance.now();
      const all = await this.#api().attachmentsList(...callOptions(signal));
      this.#known = all.filter(isOurs(this.#host));
      this.#readAt = at;
    }
    return this.#known;
  }

  /** Sends one entry of a reassignment. After an error nobody knows what is attached. */
  async reassign(entry: ReassignEntry, signal: AbortSignal | undefined): Promise<void> {
    const readAt = this.#readAt;
    this.#readAt = Number.NEGATIVE_INFINITY;
    await this.#api().volumesReassign([entry], ...callOptions(signal));
    this.#known = changed(this.#known, entry);
    this.#readAt = readAt;
  }
}

/** The attachments after a reassignment that this library makes: of one client, one way. */
function changed(known: readonly AttachmentState[], entry: ReassignEntry): readonly AttachmentState[] {
  const volume = entry.volume ?? entry.snapshot;
  const snapshot = entry.snapshot !== undefined;
  const { rw = [], ro = [], detach = [] } = entry;
  const touched = new Set([...rw, ...ro, ...(detach === 'all' ? [] : detach)].map(Number));
  const others = known.filter(
    (one) => one.volume !== volume || one.snapshot !== snapshot || !touched.has(one.client),
  );
  const added = (clients: readonly (number | string)[], rights: 'rw' | 'ro') =>
    clients.map((client) => ({ volume, snapshot, client: Number(client), rights }));
  return [...others, ...added(rw, 'rw'), ...added(ro, 'ro')];
}
