/**
 * What went wrong with the locked file: someone else kept it locked (`ELOCKED`), our own lock was lost
 * (`ECOMPROMISED`), its content is invalid (`ECORRUPT`), it is too large (`EFBIG`), the kernel lock is not available
 * (`ENOTSUP`), an option of the lock is invalid (`EINVAL`), or the system's code, for example `ENOENT` or `EACCES`.
 */
export type SPLockedFileErrorCode = 'ELOCKED' | 'ECOMPROMISED' | 'ECORRUPT' | (string & {});

/**
 * A file could not be locked, read or written. The message names the file and the remedy.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedFileError`.
 */
export class SPLockedFileError extends Error {
  /** The name of the class. */
  override readonly name = 'SPLockedFileError';
  /** What went wrong with the file. */
  readonly code: SPLockedFileErrorCode;

  constructor(code: SPLockedFileErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
