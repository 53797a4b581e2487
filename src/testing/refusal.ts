import { ApiError } from '../api/errors/api-error.js';

/** The error with which the fake service refuses a call. */
export interface FakeError {
  /** The name of the error, for example `busy`, `invalidParam` or `objectDoesNotExist`. */
  name: string;
  /** The description. Default: that the test asked for this error. */
  descr?: string | undefined;
  /** Default: `false`. */
  transient?: boolean | undefined;
  /** The HTTP status; the API may refuse with 200, too. Default: the usual one for the name. */
  status?: number | undefined;
}

const STATUS: Record<string, number> = {
  objectDoesNotExist: 404,
  objectExists: 409,
  busy: 409,
  notAuthorized: 403,
  insufficientResources: 409,
  invalidParam: 400,
};

/** Refuses a call that has changed nothing. @internal */
export class Refusal extends Error {
  readonly status: number;
  readonly error: { name: string; descr: string; transient: boolean };

  constructor({ name, descr = 'The test asked for this error.', transient = false, status }: FakeError) {
    super(`${name}: ${descr}`);
    this.status = status ?? STATUS[name] ?? 500;
    this.error = { name, descr, transient };
  }
}

/** An error of a handler, as the API would return it. @internal */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ApiError) return new Refusal(asFakeError(error));
  return new Refusal({ name: 'internalError', descr: String(error) });
}

/** @internal */
export const asFakeError = ({ code, desc, transient, status }: ApiError): FakeError => ({
  name: code,
  descr: desc,
  transient,
  status,
});

/** @internal */
export const invalid = (descr: string) => new Refusal({ name: 'invalidParam', descr });
/** @internal */
export const busy = (descr: string) => new Refusal({ name: 'busy', descr });
/** @internal */
export const exists = (what: string, name: string) =>
  new Refusal({ name: 'objectExists', descr: `${what} '${name}' already exists.` });
/** @internal */
export const absent = (what: string, name: string) =>
  new Refusal({ name: 'objectDoesNotExist', descr: `${what} '${name}' does not exist.` });
