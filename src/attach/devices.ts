import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from '../async/sleep.js';
import { startTimer } from '../async/timer.js';
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
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      for (const name of missing) if (existsSync(join(dir, name))) missing.delete(name);
      if (missing.size === 0 || isOver) return new Set(names.filter((name) => !missing.has(name)));
      timer ??= startTimer(timeout, () => {
        isOver = true;
      });
      await sleep(Math.min(PAUSE, timeout), signal);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Where the devices of this host are, and how many milliseconds to wait for them. @internal */
export interface Devices {
  readonly deviceDir: string;
  readonly deviceTimeout: number;
}

/** What to tell of a device that did not appear. @internal */
export const missingDevice = ({ deviceDir, deviceTimeout }: Devices, volume: string): string =>
  `${volume} is attached, but ${join(deviceDir, volume)} did not appear within ${deviceTimeout} ms; is the storpool_block service running on this host?`;
