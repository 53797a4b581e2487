import type { FakeRequest } from '../server.js';
import type { Route } from './route.js';

/** A request to a handler. */
export interface FakeCall extends FakeRequest {
  /** What follows the first part of the path; empty if nothing does. */
  name: string;
  /** The remote cluster that the call is for; `undefined` for this one. */
  clusterName: string | undefined;
}

/**
 * Answers a call. What it returns or resolves to becomes the `data` of the reply; `undefined` becomes
 * `{ ok: true, generation }`. To refuse the call, it throws an `ApiError`.
 */
export type FakeHandler = (call: FakeCall) => unknown;

const PATH = /^[^/?]+(?:\/[^/?]+)*$/u;

/**
 * The handlers of a test, by path.
 *
 * @internal
 */
export class CustomHandlers {
  readonly #handlers = new Map<string, FakeHandler>();

  set(path: string, handler: FakeHandler): void {
    if (typeof path !== 'string' || !PATH.test(path) || path.startsWith('ctrl/')) {
      throw new TypeError(
        `${JSON.stringify(path)} is not the path of a call: give what follows /ctrl/1.0/, for example "VolumeRebase/NAME"`,
      );
    }
    if (typeof handler !== 'function') throw new TypeError(`The handler for ${path} is not a function`);
    this.#handlers.set(path, handler);
  }

  /** The handler for the complete path, otherwise the one for its first part. */
  find({ path, command }: Route): FakeHandler | undefined {
    return this.#handlers.get(path) ?? this.#handlers.get(command);
  }
}
