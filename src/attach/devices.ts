import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { onAbort } from '../async/abort.js';
import { startTimer } from '../async/sleep.js';

/** Milliseconds between listings while some caller has waited for less than {@link FREQUENT_FOR}. */
const FREQUENT = 10;
const FREQUENT_FOR = 2000;
/** Milliseconds between later listings. */
const RARE = 50;

/** The options of {@link waitForDevices}. */
export interface DeviceWaitOptions {
  /** Milliseconds. */
  timeout: number;
  /** Ends the wait at once; it then throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** One call that waits for devices. */
interface Wait {
  readonly missing: Set<string>;
  /** Milliseconds, counted by our own timer, so that fake timers need not replace a clock. */
  waited: number;
  onComplete(): void;
}

/** Lists one directory for all calls in this process that wait for devices there, with one timer. */
class DirectoryPoll {
  readonly #dir: string;
  readonly #waits = new Set<Wait>();
  #timer: NodeJS.Timeout | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  add(wait: Wait): void {
    this.#waits.add(wait);
    this.look();
  }

  delete(wait: Wait): void {
    this.#waits.delete(wait);
    if (this.#waits.size > 0) return;
    clearTimeout(this.#timer);
    polls.delete(this.#dir);
  }

  look(): void {
    clearTimeout(this.#timer);
    const listed = list(this.#dir);
    for (const wait of this.#waits) {
      for (const name of wait.missing) {
        // A link whose device does not exist yet does not count.
        if (listed?.has(name) !== false && existsSync(join(this.#dir, name))) wait.missing.delete(name);
      }
      if (wait.missing.size === 0) wait.onComplete();
    }
    if (this.#waits.size === 0) return;
    const pause = [...this.#waits].some(({ waited }) => waited < FREQUENT_FOR) ? FREQUENT : RARE;
    this.#timer = setTimeout(() => {
      for (const wait of this.#waits) wait.waited += pause;
      this.look();
    }, pause);
  }
}

const polls = new Map<string, DirectoryPoll>();

/**
 * Waits until all devices are in the directory, or the timeout expires.
 *
 * @returns the names of the devices that are there
 * @throws the signal's reason when it is aborted
 */
export async function waitForDevices(
  dir: string,
  names: readonly string[],
  { timeout, signal }: DeviceWaitOptions,
): Promise<Set<string>> {
  signal?.throwIfAborted();
  const missing = new Set(names);
  if (missing.size > 0) await untilComplete(dir, missing, timeout, signal);
  return new Set(names.filter((name) => !missing.has(name)));
}

function untilComplete(
  dir: string,
  missing: Set<string>,
  timeout: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const poll = polls.get(dir) ?? new DirectoryPoll(dir);
  polls.set(dir, poll);
  return new Promise((resolve, reject) => {
    const end = (settle: () => void) => {
      clearTimeout(deadline);
      stopListening();
      poll.delete(wait);
      settle();
    };
    const wait = { missing, waited: 0, onComplete: () => end(resolve) };
    const deadline = startTimer(timeout, () => {
      // A device that appeared just before the timeout counts.
      poll.look();
      if (missing.size > 0) end(resolve);
    });
    const stopListening = onAbort(signal, () => end(() => reject(signal?.reason)));
    poll.add(wait);
    if (timeout <= 0 && missing.size > 0) end(resolve);
  });
}

/** The entries of the directory, or `undefined` if it cannot be listed: its entries may exist nevertheless. */
function list(dir: string): ReadonlySet<string> | undefined {
  try {
    return new Set(readdirSync(dir));
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? new Set() : undefined;
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

  /** Waits as {@link waitForDevices} does. */
  find(names: readonly string[], signal: AbortSignal | undefined): Promise<Set<string>> {
    return waitForDevices(this.#dir, names, { timeout: this.#timeout, signal });
  }

  /** The message when {@link find} did not find the device. */
  missing(volume: string): string {
    return `${volume} is attached, but ${this.path(volume)} did not appear within ${this.#timeout} ms; is the storpool_block service running on this host?`;
  }
}
