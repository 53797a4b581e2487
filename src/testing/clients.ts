/** Which clients of a cluster are switched off, and who waits for them. */
export class FakeClients {
  readonly #offline = new Set<number>();
  readonly #waiting = new Set<() => void>();
  #closed = false;

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
