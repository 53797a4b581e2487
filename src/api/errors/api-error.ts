/** What the StorPool API answers when it refuses a call. */
export interface ApiErrorReply {
  /** The refusal itself. */
  error?: {
    /** The kind of error, such as `objectDoesNotExist`, `busy` or `invalidParam`. */
    name?: string;
    /** The error in words. */
    descr?: string;
    /** Whether the same call may succeed a little later. Default: `false`. */
    transient?: boolean;
  };
  [member: string]: unknown;
}

/**
 * The StorPool API refused a call.
 *
 * `new ApiError(status, json)` is all that a mock needs:
 * `new ApiError(409, { error: { name: 'busy', descr: "Volume 'v' is open at client 1" } })`.
 *
 * Reference: `storpool.spapi.ApiError`.
 */
export class ApiError extends Error {
  /** The name of the class. */
  override readonly name = 'ApiError';
  /** The HTTP status. */
  readonly status: number;
  /** The API's name for the error, as `objectDoesNotExist`; the reference calls it `name`. */
  readonly code: string;
  /** The API's description of the error. */
  readonly desc: string;
  /** Whether the same call may succeed a little later. */
  readonly transient: boolean;
  /** The whole reply. */
  readonly json: ApiErrorReply;

  /** @param request - names the call in the message, as `POST VolumesReassign` */
  constructor(status: number, json: ApiErrorReply, request?: string) {
    const code = textOr(json.error?.name, 'unknownError');
    const desc = textOr(json.error?.descr, 'the API gave no description');
    super(`${request === undefined ? '' : `${request}: `}${code}: ${desc}`);
    this.status = status;
    this.code = code;
    this.desc = desc;
    this.transient = json.error?.transient === true;
    this.json = json;
  }

  /**
   * Whether the call was refused since a client has the volume open: it may be let go in a moment, and
   * detaching it by force takes it away from whoever uses it.
   */
  get isOpen(): boolean {
    // Older services call it an invalid parameter.
    return (this.code === 'busy' || this.code === 'invalidParam') && this.desc.includes('is open at');
  }
}

/** Whoever answers may put anything there. */
const textOr = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise);
