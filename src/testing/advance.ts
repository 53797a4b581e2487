import { setTimeout } from 'node:timers';
import { isRealTimeAwaited } from '../async/event-loop.js';

/** Work of the file system and of name servers ends by itself, however slow the disk is. */
const ENDS_BY_ITSELF = /^(?:FSReq|GetAddrInfo)/u;
/** Connections and child processes may stay open until somebody advances the time. */
const MAY_STAY = /^(?:TCP|Process)/u;
/** After how many looks, a real millisecond apart, connections without a change count as idle. */
const IDLE_AFTER = 100;

/**
 * Advances fake timers until a call has settled. Real files and connections get the real time that they need: the
 * timers advance only while there is nothing else to wait for.
 *
 * @example
 * ```ts
 * vi.useFakeTimers();
 * const attached = await advanceUntilSettled(shim.attach(), () => vi.advanceTimersToNextTimerAsync());
 * ```
 *
 * @param call - the promise of the call
 * @param advance - advances the timers by one step; with Jest `() => jest.advanceTimersToNextTimerAsync()`
 * @returns what the call resolves to
 * @throws what the call rejects with, and what `advance` throws
 */
export async function advanceUntilSettled<T>(call: Promise<T>, advance: () => unknown): Promise<T> {
  let settled = false;
  const settle = () => {
    settled = true;
  };
  call.then(settle, settle);
  // The first lock loads these modules, and no timer may run out meanwhile.
  await Promise.allSettled([import('koffi'), import('proper-lockfile')]);
  const io = new RealIo();
  while (!settled) {
    await realMillisecond();
    if (!settled && !io.isGoingOn()) await advance();
  }
  return call;
}

/** What goes on in this process besides timers. Its unit is one look a millisecond, because the clock may be fake. */
class RealIo {
  #open = 0;
  #idle = 0;
  #unchanged = 0;

  isGoingOn(): boolean {
    const active = process.getActiveResourcesInfo();
    const open = active.filter((kind) => MAY_STAY.test(kind)).length;
    this.#unchanged = open === this.#open ? this.#unchanged + 1 : 0;
    this.#open = open;
    this.#idle = this.#unchanged > IDLE_AFTER ? open : Math.min(this.#idle, open);
    return open > this.#idle || active.some((kind) => ENDS_BY_ITSELF.test(kind)) || isRealTimeAwaited();
  }
}

const realMillisecond = () => new Promise((resolve) => setTimeout(resolve, 1));
