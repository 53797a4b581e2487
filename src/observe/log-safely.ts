/** Tells an operator something. A logger that fails must not fail a call whose work is done. */
export function logSafely(write: (message: string) => void, message: string): void {
  try {
    write(message);
  } catch (error) {
    process.emitWarning(`${message} (the logger failed: ${String(error)})`, 'SPLockedFileWarning');
  }
}
