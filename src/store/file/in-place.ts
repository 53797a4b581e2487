import { SPLockedFileError } from '../sp-locked-file-error.js';
import { codeOf, type OpenFile } from './disk.js';

/**
 * All bytes of an open file.
 *
 * @throws {@link SPLockedFileError} with the system's code, naming the file
 */
export async function readContent(handle: OpenFile, fname: string): Promise<Buffer> {
  try {
    return await readAll(handle);
  } catch (cause) {
    const message = `Cannot read ${fname}: ${(cause as Error).message}; nothing was changed`;
    throw new SPLockedFileError(codeOf(cause) ?? 'EIO', message, { cause });
  }
}

/** All bytes of an open file. */
export async function readAll(handle: OpenFile): Promise<Buffer> {
  const { size } = await handle.stat();
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const bytesRead = await handle.read(bytes, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Writes bytes from the beginning of an open file on. */
export async function writeAll(handle: OpenFile, bytes: Buffer): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    at += await handle.write(bytes, at, bytes.length - at, at);
  }
}

/** Puts new bytes in place of all that an open file holds, and on the disk. */
export async function replaceAll(handle: OpenFile, bytes: Buffer): Promise<void> {
  await handle.truncate(0);
  await writeAll(handle, bytes);
  await handle.datasync();
}
