import { ApiError } from '../api/errors/api-error.js';

/** What the fake service answers when it refuses a call. */
export interface FakeError {
  /** For example `busy`, `invalidParam` or `objectDoesNotExist`. */
  name: string;
  /** Default: a sentence that says the test asked for it. */
  descr?: string | undefined;
  /** Default: `false`. */
  transient?: boolean | undefined;
  /** The HTTP status. Default: one that fits the name. The API also refuses with status 200. */
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

/** Whatever was thrown while a call was carried out, as the API would tell of it. */
export function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ApiError) return new Refusal(asFakeError(error));
  return new Refusal({ name: 'internalError', descr: String(error) });
}

export const asFakeError = ({ code, desc, transient, status }: ApiError): FakeError => ({
  name: code,
  descr: desc,
  transient,
  status,
});

export const invalid = (descr: string) => new Refusal({ name: 'invalidParam', descr });
export const busy = (descr: string) => new Refusal({ name: 'busy', descr });
export const exists = (what: string, name: string) =>
  new Refusal({ name: 'objectExists', descr: `${what} '${name}' already exists.` });
export const absent = (what: string, name: string) =>
  new Refusal({ name: 'objectDoesNotExist', descr: `${what} '${name}' does not exist.` });
