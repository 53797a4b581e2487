import { ApiError } from '../api/errors/api-error.js';

/** What the fake service answers when it refuses a call. */
export interface FakeError {
  /** As `busy`, `invalidParam` or `objectDoesNotExist`. */
  name: string;
  /** Default: a sentence that says the test asked for it. */
  descr?: string | undefined;
  /** Default: `false`. */
  transient?: boolean | undefined;
  /** The HTTP status. Default: one that fits the name. */
  status?: number | undefined;
}

/** How a call fails: refused by the API, or as the network may have it. */
export type FakeFailure = FakeError | ApiError | 'reset' | 'hang' | 'garbage';

/** @throws TypeError for what is no failure: a test that asks for it would prove nothing. */
export function checkFailure(failure: FakeFailure): FakeError | 'reset' | 'hang' | 'garbage' {
  if (failure instanceof ApiError) {
    const { code, desc, transient, status } = failure;
    return { name: code, descr: desc, transient, status };
  }
  if (failure === 'reset' || failure === 'hang' || failure === 'garbage') return failure;
  if (!(failure instanceof Error) && typeof failure?.name === 'string') return failure;
  throw new TypeError(
    "A failure is { name, descr?, transient?, status? }, an ApiError, 'reset', 'hang' or 'garbage'",
  );
}

const STATUS: Record<string, number> = {
  objectDoesNotExist: 404,
  objectExists: 409,
  busy: 409,
  notAuthorized: 403,
  invalidParam: 400,
};

/** A call that is refused: nothing has changed. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: { name: string; descr: string; transient: boolean };

  constructor({ name, descr = 'The test asked for this error.', transient = false, status }: FakeError) {
    super(`${name}: ${descr}`);
    this.status = status ?? STATUS[name] ?? 500;
    this.error = { name, descr, transient };
  }
}

export const invalid = (descr: string) => new Refusal({ name: 'invalidParam', descr });
export const busy = (descr: string) => new Refusal({ name: 'busy', descr });
export const exists = (what: string, name: string) =>
  new Refusal({ name: 'objectExists', descr: `${what} '${name}' already exists.` });
export const absent = (what: string, name: string) =>
  new Refusal({ name: 'objectDoesNotExist', descr: `${what} '${name}' does not exist.` });
