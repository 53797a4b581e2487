/**
 * What is wrong with a reply: it is not HTTP (`ENOTHTTP`), is cut short (`ETRUNCATED`), is larger than
 * `maxReplySize` (`ETOOLARGE`), or is not a JSON reply of the StorPool API (`EBADREPLY`).
 */
export type ApiResponseErrorCode = 'ENOTHTTP' | 'ETRUNCATED' | 'ETOOLARGE' | 'EBADREPLY';

/**
 * A reply that does not come from the StorPool API: most often, `SP_API_HTTP_HOST` or
 * `SP_API_HTTP_PORT` points to another service, or there is a proxy in between.
 *
 * The message shows the status and the beginning of the reply, never the authentication token.
 */
export class ApiResponseError extends Error {
  /** The name of the class. */
  override readonly name = 'ApiResponseError';
  /** What is wrong with the reply. */
  readonly code: ApiResponseErrorCode;
  /** The HTTP status, if there was one. */
  readonly status: number | undefined;

  constructor(code: ApiResponseErrorCode, message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}
