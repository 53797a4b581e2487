import { constants } from 'node:buffer';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { scanJson } from './scan-json.js';

/**
 * What the bytes of a file are. `torn`: an interrupted write, which ends before its JSON does, or in NUL bytes; `entries`
 * are those entries of the object that are whole.
 */
export type Content =
  | { state: 'whole'; value: unknown }
  | { state: 'torn'; entries: Record<string, unknown> }
  | { state: 'wrong'; problem: string };

/** @throws {@link SPLockedFileError} `EFBIG` if there are too many bytes. */
export function examine(bytes: Buffer, fname: string): Content {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    const message = `${fname} is too large to be read: ${bytes.length} bytes; nothing was changed`;
    throw new SPLockedFileError('EFBIG', message);
  }
  try {
    return { state: 'whole', value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    return examineBroken(bytes);
  }
}

function examineBroken(bytes: Buffer): Content {
  // One character for each byte, because a torn file may end within a character.
  const input = bytes.toString('latin1').replace(/\0+$/u, '');
  const { state, at, entriesEnd } = scanJson(input);
  if (state === 'wrong') {
    const lines = input.slice(0, at).split('\n');
    const column = (lines.at(-1) ?? '').length + 1;
    return { state, problem: `is not valid JSON at line ${lines.length}, column ${column}` };
  }
  if (state === 'whole' && input.length === bytes.length) {
    return { state: 'wrong', problem: 'is not valid UTF-8' };
  }
  try {
    return {
      state: 'torn',
      entries: JSON.parse(bytes.toString('utf8', 0, entriesEnd) + (entriesEnd ? '}' : '{}')),
    };
  } catch {
    return { state: 'torn', entries: {} };
  }
}

/** The error for a file with the wrong content, with a remedy. */
export const corrupt = (fname: string, problem: string, cause?: unknown) =>
  new SPLockedFileError(
    'ECORRUPT',
    `${fname} ${problem}; nothing was changed. Restore it from a copy, or write {} into it if nothing is attached to this host`,
    { cause },
  );

/**
 * JSON in ASCII only, because the Python services read the file in the encoding of their locale.
 *
 * @throws TypeError for a value that JSON cannot hold
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
