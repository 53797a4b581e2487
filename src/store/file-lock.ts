/** The part of a lock that its holder uses. */
export interface FileLock {
  /** @throws {@link SPLockedFileError} `ECOMPROMISED` when the lock was lost. */
  check(): void;
}
