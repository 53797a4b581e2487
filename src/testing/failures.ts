import { CALLS } from '../api/calls.js';
import { ApiError } from '../api/errors/api-error.js';
import type { ApiCallName } from './call-name.js';
import { isCount } from './fields.js';
import { asFakeError, type FakeError } from './refusal.js';

/** How a call fails: the API refuses it, or the network breaks. */
export type FakeFailure = FakeError | ApiError | 'reset' | 'hang' | 'garbage';

type Checked = Exclude<FakeFailure, ApiError>;

/**
 * The failures that a test has asked for.
 *
 * @internal
 */
export class PlannedFailures {
  readonly #planned: { call: ApiCallName; failure: Checked; times: number }[] = [];

  /** @throws TypeError for a call or failure that does not exist, because it would never happen */
  add(call: ApiCallName, failure: FakeFailure, times: number): void {
    if (!Object.hasOwn(CALLS, call)) throw new TypeError(`The API has no call ${String(call)}`);
    if (!isCount(times)) throw new TypeError(`${times} is no number of calls`);
    const checked = check(failure);
    if (times > 0) this.#planned.push({ call, failure: checked, times });
  }

  /** How this call is to fail, if it is. */
  take(call: ApiCallName): Checked | undefined {
    const at = this.#planned.findIndex((one) => one.call === call);
    const planned = this.#planned[at];
    if (planned === undefined) return undefined;
    planned.times--;
    if (planned.times <= 0) this.#planned.splice(at, 1);
    return planned.failure;
  }
}

function check(failure: FakeFailure): Checked {
  if (failure instanceof ApiError) return asFakeError(failure);
  if (failure === 'reset' || failure === 'hang' || failure === 'garbage') return failure;
  if (!(failure instanceof Error) && typeof failure?.name === 'string') return failure;
  throw new TypeError(
    "A failure is { name, descr?, transient?, status? }, an ApiError, 'reset', 'hang' or 'garbage'",
  );
}
