/**
 * What is wrong with the reply: it is not HTTP (`ENOTHTTP`), ends too early (`ETRUNCATED`), is larger than
 * `maxReplySize` (`ETOOLARGE`), or is not the JSON that the StorPool API speaks (`EBADREPLY`).
 */
export type ApiResponseErrorCode = 'ENOTHTTP' | 'ETRUNCATED' | 'ETOOLARGE' | 'EBADREPLY';

/**
 * Something answered, but not as the StorPool API does: most often `SP_API_HTTP_HOST` or
 * `SP_API_HTTP_PORT` point at another service, or a proxy stands between.
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
