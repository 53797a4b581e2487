/**
 * No reply came: the connection was refused or reset, the name is unknown, or the time was up.
 *
 * Reference: the `socket.error` and `http.client.HTTPException` that the bindings let through.
 */
export class ApiConnectionError extends Error {
  /** The name of the class. */
  override readonly name = 'ApiConnectionError';
  /** The system's code, for example `ECONNREFUSED`, `ECONNRESET` or `ENOTFOUND`; `ETIMEDOUT` when the time was up. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
