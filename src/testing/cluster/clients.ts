import { isClientId } from '../../api/names.js';
import { invalid } from '../refusal.js';

/** The clients of a cluster, which of them are offline, and who waits for them. */
export class FakeClients {
  /** The clients that the options name. */
  readonly named: ReadonlySet<number>;
  readonly #open: boolean;
  readonly #offline = new Set<number>();
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param open - whether every other valid ID is registered, too */
  constructor(named: ReadonlySet<number>, open: boolean) {
    this.named = named;
    this.#open = open;
  }

  checkRegistered(client: number): void {
    if (!isClientId(client) || !(this.#open || this.named.has(client))) {
      throw invalid('No such client registered');
    }
  }

  setOffline(client: number): void {
    this.#offline.add(client);
  }

  setOnline(client: number): void {
    this.#offline.delete(client);
    this.#wake();
  }

  isOnline(client: number): boolean {
    return !this.#offline.has(client);
  }

  /** Resolves once all of them are online, or after `ms` milliseconds. */
  async untilOnline(clients: readonly number[], ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (!this.#closed && Date.now() < end && !clients.every((client) => this.isOnline(client))) {
      await this.#change(end - Date.now());
    }
  }

  /** Ends all waits. */
  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #change(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      if (Number.isFinite(ms)) setTimeout(resolve, ms).unref();
    });
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

export function checkClient(id: number): number {
  if (isClientId(id)) return id;
  throw new TypeError(`${String(id)} is not a client ID: give a number from 1 to 4095`);
}
