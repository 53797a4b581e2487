import { sleep } from './sleep.js';

const FIRST_PAUSE = 1;
const LONGEST_PAUSE = 25;

/**
 * Tries until an attempt returns something, with pauses that grow from 1 ms to 25 ms.
 * Each pause is shortened at random by up to a half, so that waiters do not stay in step.
 *
 * @throws the signal's reason when it is aborted.
 */
export async function poll<T>(
  attempt: () => T | undefined | Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
    const result = await attempt();
    if (result !== undefined) return result;
    signal.throwIfAborted();
    await sleep(pause * (1 - Math.random() / 2), signal);
  }
}
