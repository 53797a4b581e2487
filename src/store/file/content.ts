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

/** Looking for what is whole in a torn file keeps the process busy: for about a second with a file of this size. Bytes. */
const LARGEST_TORN = 16_000_000;

/** @throws {@link SPLockedFileError} `EFBIG` if there are too many bytes. */
export function examine(bytes: Buffer, fname: string): Content {
  if (bytes.length > constants.MAX_STRING_LENGTH) {
    const message = `${fname} is too large to be read: ${bytes.length} bytes; nothing was changed`;
    throw new SPLockedFileError('EFBIG', message);
  }
  try {
    return { state: 'whole', value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) };
  } catch {
    try {
      return examineBroken(bytes);
    } catch {
      // A million escapes in one string are too many for a regular expression.
      return { state: 'wrong', problem: 'is not valid JSON' };
    }
  }
}

function examineBroken(bytes: Buffer): Content {
  if (bytes.length > LARGEST_TORN) {
    const problem = `is not valid JSON, and too large (${bytes.length} bytes) to be mended automatically`;
    return { state: 'wrong', problem };
  }
  // One character for each byte, because a torn file may end within a character.
  const input = withoutNuls(bytes).toString('latin1');
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

/** Without the NUL bytes at the end, which a power cut leaves in place of what was not on the disk yet. */
export function withoutNuls(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
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
export function formatContent(value: unknown, what = 'this value'): Buffer {
  const ascii = toJson(value, what).replaceAll(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(ascii, 'latin1');
}

/**
 * @param what - for the message
 * @throws TypeError for what JSON cannot hold
 */
export function toJson(value: unknown, what: string): string {
  try {
    const text = JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new TypeError(`JSON cannot hold ${what}: it is nested too deeply`, { cause });
  }
  throw new TypeError(`JSON cannot hold ${what}`);
}

/** A parser of Python fails at about 1,000 levels of lists and objects. */
const DEEPEST = 500;

/**
 * @param what - for the message
 * @throws TypeError for what Python services could not read
 */
export function checkDepth(value: unknown, what: string): void {
  if (isDeeper(value, DEEPEST)) throw new TypeError(`${what} is nested deeper than ${DEEPEST} levels`);
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1)));

/** @throws {@link SPLockedFileError} `ECORRUPT` for content that can be parsed, but not copied. */
export function copyOf<T>(content: T, fname: string): T {
  try {
    return structuredClone(content);
  } catch (cause) {
    throw corrupt(fname, 'is nested too deeply', cause);
  }
}
