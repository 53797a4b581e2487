import type { FileHandle } from 'node:fs/promises';
import { SPLockedFileError } from './sp-locked-file-error.js';

/** All bytes of an open file. */
export async function readAll(handle: FileHandle): Promise<Buffer> {
  const { size } = await handle.stat();
  const bytes = Buffer.alloc(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(bytes, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Puts new bytes in place of all that an open file holds. */
export async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  await handle.truncate(0);
  let at = 0;
  while (at < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, at);
    at += bytesWritten;
  }
}

/** @throws {@link SPLockedFileError} `ECORRUPT` naming the file. */
export function parseContent(bytes: Buffer, fname: string): unknown {
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
  if (text === undefined) throw new TypeError(`JSON cannot hold ${typeof value}`);
  const ascii = text.replaceAll(
    /[^\0-\x7f]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return Buffer.from(ascii, 'latin1');
}
