import { constants } from 'node:buffer';
import { SPLockedFileError } from '../sp-locked-file-error.js';

/** @throws {@link SPLockedFileError} `ECORRUPT` when the bytes are not JSON, `EFBIG` when there are too many. */
export function parseContent(bytes: Buffer, fname: string): unknown {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    const message = `${fname} is too large to be read: ${bytes.length} bytes; nothing was changed`;
    throw new SPLockedFileError('EFBIG', message);
  }
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw corrupt(fname, bytes.length === 0 ? 'is empty' : 'is not valid JSON', cause);
  }
}

/** The error for a file whose content is not what it must be; it says how to mend it. */
export const corrupt = (fname: string, problem: string, cause?: unknown) =>
  new SPLockedFileError(
    'ECORRUPT',
    `${fname} ${problem}; nothing was changed. Restore it from a copy, or put {} into it if nothing is attached to this host`,
    { cause },
  );

/**
 * JSON in ASCII alone: the Python services read the file in whatever encoding their locale names.
 *
 * @throws TypeError for what JSON cannot hold
 */
export function formatContent(value: unknown): Buffer {
  const text = JSON.stringify(value);
  if (text === undefined) throw new TypeError(`JSON cannot hold a value of the type ${typeof value}`);
  const ascii = text.replaceAll(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(ascii, 'latin1');
}
