/**
 * No reply came: the connection was refused or reset, the host name is unknown, or the request timed out.
 *
 * Reference: the `socket.error` and `http.client.HTTPException` that the bindings pass on.
 */
export class ApiConnectionError extends Error {
  /** The name of the class. */
  override readonly name = 'ApiConnectionError';
  /** The system's code, for example `ECONNREFUSED`, `ECONNRESET` or `ENOTFOUND`; `ETIMEDOUT` after a timeout. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
