import { isUtf8 } from 'node:buffer';
import { type Descriptor, disk, diskError, readAll } from './disk.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

/** A larger file is no attachment cache: ten thousand requests need a tenth of it. Bytes. */
export const LARGEST = 64 * 1024 * 1024;

/** @throws {@link SPLockedFileError} `EFBIG` */
export function checkSize(size: number | bigint, fname: string): void {
  if (size <= LARGEST) return;
  const message = `${fname} would be too large, or is: ${size} bytes, at most ${LARGEST}; nothing was changed`;
  throw new SPLockedFileError('EFBIG', message);
}

/** @throws {@link SPLockedFileError} `EFBIG`, or the system's code */
export function readContent(file: Descriptor, fname: string): Buffer {
  try {
    const { size } = disk.fstat(file);
    checkSize(size, fname);
    return readAll(file, size);
  } catch (cause) {
    if (cause instanceof SPLockedFileError) throw cause;
    throw diskError(cause, `Cannot read ${fname}`, 'nothing was changed');
  }
}

/** The JSON value that bytes hold, or what is wrong with them. */
export type Content = { value: unknown } | { problem: string };

export function parseContent(bytes: Buffer): Content {
  const text = bytes.toString();
  try {
    return isUtf8(bytes)
      ? { value: JSON.parse(text) }
      : { problem: `is not UTF-8 ${place(text, text.indexOf('\ufffd'))}` };
  } catch {
    if (text === '') return { problem: `is empty, ${place(text, 0)}` };
    const end = endOfJson(text);
    const problem = end === text.length ? 'ends before its JSON does,' : 'is not valid JSON';
    return { problem: `${problem} ${place(text, end)}` };
  }
}

function place(text: string, at: number): string {
  const lines = text.slice(0, at).split('\n');
  return `at line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

/** How much of a string, which is not JSON, could begin some JSON. Not each error of `JSON.parse()` tells. */
function endOfJson(text: string): number {
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (isBeginning(text.slice(0, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const { message } = error as Error;
    return (
      message.startsWith('Unexpected end') || / position (\d+)/u.exec(message)?.[1] === String(text.length)
    );
  }
}

/** The error for a file with the wrong content. `more` is what else is known, and the remedy. */
export const corrupt = (fname: string, problem: string, more: string) =>
  new SPLockedFileError('ECORRUPT', `${fname} ${problem}; nothing was changed. ${more}`);

/** A parser of Python fails at about 1,000 levels of lists and objects. */
const DEEPEST = 800;

/** @throws TypeError for a value that Python services could not read, or that is circular; `what` names it */
export function checkDepth(value: unknown, what: string): void {
  if (isDeeper(value, DEEPEST)) throw new TypeError(`${what} is nested deeper than ${DEEPEST} levels`);
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((member) => isDeeper(member, levels - 1)));

/**
 * JSON in ASCII only, because the Python services read the file in the encoding of their locale.
 *
 * @throws TypeError for a value that JSON cannot hold; `what` names it
 */
export function formatContent(value: unknown, what: string): Buffer {
  let json: string | undefined;
  try {
    json = JSON.stringify(value);
  } catch (cause) {
    throw new TypeError(`JSON cannot hold ${what}: ${(cause as Error).message}`, { cause });
  }
  if (json === undefined) throw new TypeError(`JSON cannot hold ${what}`);
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return Buffer.from(json.replaceAll(/[^\0-\x7f]/g, escaped), 'latin1');
}

/** What JSON makes of a value, as it is now: the caller may change it later. @throws TypeError */
export function copyOf<V>(value: V, what: string): V {
  checkDepth(value, what);
  const copy = JSON.parse(formatContent(value, what).toString()) as V;
  // What a toJSON() has made of it.
  checkDepth(copy, what);
  return copy;
}
