/**
 * What went wrong with the locked file: somebody else kept it locked (`ELOCKED`), our own lock was lost
 * (`ECOMPROMISED`), its content is not what it must be (`ECORRUPT`), or the system's code, as `ENOENT` or
 * `EACCES`.
 */
export type SPLockedFileErrorCode = 'ELOCKED' | 'ECOMPROMISED' | 'ECORRUPT' | (string & {});

/**
 * A locked file could not be locked, read or written. The message names the file and the remedy.
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
