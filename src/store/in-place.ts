import type { FileHandle } from 'node:fs/promises';

/** All bytes of an open file. */
export async function readAll(handle: FileHandle): Promise<Buffer> {
  const { size } = await handle.stat();
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const { bytesRead } = await handle.read(bytes, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Writes bytes from the beginning of an open file on. */
export async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  let at = 0;
  while (at < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, at);
    at += bytesWritten;
  }
}

/** Puts new bytes in place of all that an open file holds, and on the disk. */
export async function replaceAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  await handle.truncate(0);
  await writeAll(handle, bytes);
  await handle.datasync();
}
