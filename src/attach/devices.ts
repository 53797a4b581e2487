import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { sleep, startTimer } from '../async/sleep.js';
import { refuseNoSignal, refuseUnknown } from '../options/known-options.js';

/** Milliseconds between looks. */
const PAUSE = 10;

/** The options of {@link waitForDevices}. */
export interface DeviceWaitOptions {
  /** Milliseconds. */
  timeout: number;
  /** Ends the wait at once; it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Waits until all devices are in the directory, or the timeout expires. A link whose device does not exist yet does not
 * count.
 *
 * @returns the names of the devices that are there
 * @throws the signal's reason when it is aborted
 */
export async function waitForDevices(
  dir: string,
  names: readonly string[],
  options: DeviceWaitOptions,
): Promise<Set<string>> {
  refuseUnknown('waitForDevices()', options, ['timeout', 'signal']);
  const { timeout, signal } = options;
  refuseNoSignal(signal);
  signal?.throwIfAborted();
  const missing = new Set(names);
  let isOver = timeout <= 0;
  const timer = startTimer(timeout, () => {
    isOver = true;
  });
  try {
    for (;;) {
      for (const name of missing) if (existsSync(join(dir, name))) missing.delete(name);
      if (missing.size === 0 || isOver) return new Set(names.filter((name) => !missing.has(name)));
      await sleep(Math.min(PAUSE, timeout), signal);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** The devices of this host. @internal */
export class Devices {
  readonly #dir: string;
  readonly #timeout: number;

  /** @param timeout - milliseconds */
  constructor(dir: string, timeout: number) {
    this.#dir = dir;
    this.#timeout = timeout;
  }

  path(volume: string): string {
    return join(this.#dir, volume);
  }

  /** The path that does not change when the volume gets another name. */
  pathById(globalId: string): string {
    return join(`${resolve(this.#dir)}-byid`, globalId);
  }

  /** The path, if the device is there. */
  present(volume: string): string | null {
    return existsSync(this.path(volume)) ? this.path(volume) : null;
  }

  /** Waits as {@link waitForDevices} does. */
  find(names: readonly string[], signal: AbortSignal | undefined): Promise<Set<string>> {
    return waitForDevices(this.#dir, names, { timeout: this.#timeout, signal });
  }

  /** The message when {@link find} did not find the device. */
  missing(volume: string): string {
    return `${volume} is attached, but ${this.path(volume)} did not appear within ${this.#timeout} ms; is the storpool_block service running on this host?`;
  }
}
