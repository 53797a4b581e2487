/**
 * What is wrong with a call of {@link AttachDB}: the request is not in the cache (`EUNKNOWNREQUEST`), this
 * host has no usable `SP_OURID` (`ENOCLIENTID`), a snapshot was to be attached read/write (`ESNAPSHOTRW`), or
 * an entry of the cache is not a request (`EBADREQUEST`).
 */
export type AttachErrorCode = 'EUNKNOWNREQUEST' | 'ENOCLIENTID' | 'ESNAPSHOTRW' | 'EBADREQUEST';

/**
 * A request that cannot be carried out. Nothing was attached or detached.
 *
 * Reference: the bare exceptions that `AttachDB.sync()` raises.
 */
export class AttachError extends Error {
  /** The name of the class. */
  override readonly name = 'AttachError';
  /** What is wrong with the call. */
  readonly code: AttachErrorCode;

  constructor(code: AttachErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
