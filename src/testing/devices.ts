import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fakeDevice } from './fake-device.js';

/** The links in a device directory, made and removed as udev does it. */
export class FakeDevices {
  readonly #dir: string | undefined;
  readonly #delay: number;
  /** The names that have a link, and with a timer those whose link is due. */
  readonly #links = new Map<string, NodeJS.Timeout | undefined>();

  /**
   * Makes the directory.
   *
   * @param delay - milliseconds from attaching to the link
   */
  constructor(dir: string | undefined, delay: number) {
    if (dir !== undefined) mkdirSync(dir, { recursive: true });
    this.#dir = dir;
    this.#delay = delay;
  }

  /** Makes and removes links to match what is attached. */
  update(attached: ReadonlySet<string>): void {
    if (this.#dir === undefined) return;
    for (const [name, timer] of this.#links) {
      if (attached.has(name)) continue;
      clearTimeout(timer);
      this.#links.delete(name);
      if (timer === undefined) rmSync(join(this.#dir, name), { force: true });
    }
    for (const name of attached) {
      if (this.#links.has(name)) continue;
      if (this.#delay === 0) this.#appear(this.#dir, name);
      else {
        const dir = this.#dir;
        this.#links.set(
          name,
          setTimeout(() => this.#appear(dir, name), this.#delay),
        );
      }
    }
  }

  /** Makes a link, unless a test has removed the directory. */
  #appear(dir: string, name: string): void {
    this.#links.set(name, undefined);
    if (existsSync(dir)) fakeDevice(dir, name);
  }
}
