import { hideFromReaders, hideIn } from './hidden.js';

/** The reply of the StorPool API when it refuses a call. */
export interface ApiErrorReply {
  /** Why it refuses. */
  error?: {
    /** The kind of error, for example `objectDoesNotExist`, `busy` or `invalidParam`. */
    name?: string;
    /** The error in words. */
    descr?: string;
    /** Whether the same call may succeed later. Default: `false`. */
    transient?: boolean;
  };
  [member: string]: unknown;
}

/**
 * The StorPool API refused a call.
 *
 * A mock needs no more than `new ApiError(status, json)`:
 * `new ApiError(409, { error: { name: 'busy', descr: "Volume 'v' is open at client 1" } })`.
 *
 * `code`, `desc` and `json` are what the service sent. The token is hidden only where people
 * read them: in the message, by `util.inspect` and by `JSON.stringify`.
 *
 * Reference: `storpool.spapi.ApiError`.
 */
export class ApiError extends Error {
  /** The name of the class. */
  override readonly name = 'ApiError';
  /** The HTTP status. */
  readonly status: number;
  /** Whether the same call may succeed later. */
  readonly transient: boolean;
  /** The whole reply. */
  readonly json: ApiErrorReply;

  /**
   * @param request - names the call in the message, for example `POST VolumesReassign`
   * @param secret - the token that people must not see
   */
  constructor(status: number, json: ApiErrorReply, request?: string, secret?: string) {
    const message = `${codeOf(json)}: ${descOf(json)}`;
    super(`${request === undefined ? '' : `${request}: `}${secret ? hideIn(message, secret) : message}`);
    this.status = status;
    this.transient = json.error?.transient === true;
    this.json = json;
    if (secret) hideFromReaders(json, secret);
  }

  /** The API's name for the error, for example `objectDoesNotExist`; the reference calls it `name`. */
  get code(): string {
    return codeOf(this.json);
  }

  /** The API's description of the error. */
  get desc(): string {
    return descOf(this.json);
  }

  /**
   * Whether the call was refused because a client has the volume open. The client may close it in a moment;
   * detaching it by force takes it away from its user.
   */
  get isOpen(): boolean {
    // Older services call it an invalid parameter.
    return (this.code === 'busy' || this.code === 'invalidParam') && this.desc.includes('is open at');
  }
}

const codeOf = ({ error }: ApiErrorReply) => stringOr(error?.name, '<Missing error name>');
const descOf = ({ error }: ApiErrorReply) => stringOr(error?.descr, '<Missing error description>');

/** The reply may contain anything. */
const stringOr = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
