import type { FakeRequest } from '../server.js';
import type { Route } from './route.js';

/** A request that a handler of the test's own answers. */
export interface FakeCall extends FakeRequest {
  /** What follows the first part of the path that the handler was given for; empty without it. */
  name: string;
  /** The cluster that is to carry out the call; `undefined` for this one. */
  clusterName: string | undefined;
}

/**
 * Answers a call: what it returns, or resolves to, is the `data` of the reply; for `undefined` that is
 * `{ ok: true, generation }`. It refuses the call by throwing an `ApiError`.
 */
export type FakeHandler = (call: FakeCall) => unknown;

const PATH = /^[^/?]+(?:\/[^/?]+)*$/u;

/** The handlers that a test has given, by the paths that they are for. */
export class CustomHandlers {
  readonly #handlers = new Map<string, FakeHandler>();

  set(path: string, handler: FakeHandler): void {
    if (typeof path !== 'string' || !PATH.test(path) || path.startsWith('ctrl/')) {
      throw new TypeError(
        `${JSON.stringify(path)} is not the path of a call: give what follows /ctrl/1.0/, for example "VolumesSpace"`,
      );
    }
    if (typeof handler !== 'function') throw new TypeError(`The handler for ${path} is not a function`);
    this.#handlers.set(path, handler);
  }

  /** The one for this very path, else the one for its first part. */
  find({ path, command }: Route): FakeHandler | undefined {
    return this.#handlers.get(path) ?? this.#handlers.get(command);
  }
}
