/** Where in the configuration an {@link SPConfigError} arose. */
export interface SPConfigErrorOptions extends ErrorOptions {
  /** The file or directory that could not be read or parsed. */
  file?: string | undefined;
  /** The line in that file, counted from 1. */
  line?: number | undefined;
}

/**
 * A configuration file that cannot be read or parsed, or a setting that is missing or invalid.
 *
 * The message names the file, line or setting, and the remedy. It never shows the content of a line, because
 * that may contain the authentication token.
 *
 * Reference: `storpool.spconfig.SPConfigException`.
 */
export class SPConfigError extends Error {
  /** The name of the class. */
  override readonly name = 'SPConfigError';
  /** Always `ECONFIG`. */
  readonly code = 'ECONFIG';
  /** The file or directory that the error is about, if there is one. */
  readonly file: string | undefined;
  /** The line in that file, counted from 1. */
  readonly line: number | undefined;

  constructor(message: string, { file, line, ...options }: SPConfigErrorOptions = {}) {
    super(message, options);
    this.file = file;
    this.line = line;
  }
}
