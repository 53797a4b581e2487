/**
 * What is wrong with a call of {@link AttachDB}:
 *
 * - `EUNKNOWNREQUEST`: the request is not in the cache.
 * - `ENOCLIENTID`: this host has no valid `SP_OURID`.
 * - `ESNAPSHOTRW`: a request wants a snapshot read/write.
 * - `EBADREQUEST`: a request is invalid, or the name of its volume lacks the prefix.
 * - `ENOVOLUME`: the cluster does not have the volume or snapshot.
 * - `ENODEVICE`: the volume is attached, but its device did not appear in time.
 * - `EBUSY`: the volume is open, and was not detached by force. The `cause` is the answer of the API.
 * - `ETIMEDOUT`: the API did not answer within `apiTimeout`. What was sent may have been carried out.
 */
export type AttachErrorCode =
  | 'EUNKNOWNREQUEST'
  | 'ENOCLIENTID'
  | 'ESNAPSHOTRW'
  | 'EBADREQUEST'
  | 'ENOVOLUME'
  | 'ENODEVICE'
  | 'EBUSY'
  | 'ETIMEDOUT';

/** A call that cannot be carried out. Reference: the bare exceptions that `AttachDB.sync()` raises. */
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

/** There was no time left to send a change, so nothing can have come of it. @internal */
export class NotSent extends AttachError {}
