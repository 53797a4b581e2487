import { isClientId } from '../../api/names.js';
import { invalid } from '../refusal.js';

const MAX_CLIENT_ID = 4095;

/** Which clients a cluster has, which of them are switched off, and who waits for them. */
export class FakeClients {
  readonly #registered: ReadonlySet<number> | undefined;
  readonly #offline = new Set<number>();
  readonly #waiting = new Set<() => void>();
  #closed = false;

  /** @param registered - default: all that there can be */
  constructor(registered?: ReadonlySet<number>) {
    this.#registered = registered;
  }

  checkRegistered(client: number): void {
    if (client > MAX_CLIENT_ID || this.#registered?.has(client) === false) {
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

  /** Resolves once all of them are online, after `ms` milliseconds at the latest. */
  async untilOnline(clients: readonly number[], ms: number): Promise<void> {
    const end = Date.now() + ms;
    while (!this.#closed && Date.now() < end && !clients.every((client) => this.isOnline(client))) {
      await this.#change(end - Date.now());
    }
  }

  /** Nobody waits any longer. */
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
  if (isClientId(id) && id <= MAX_CLIENT_ID) return id;
  throw new TypeError(`${String(id)} is not a client ID: give a number from 1 to ${MAX_CLIENT_ID}`);
}
