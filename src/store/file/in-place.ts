import { disk, type OpenFile, READ } from './disk.js';

/** All bytes of an open file. */
export function readAll(file: OpenFile): Buffer {
  const size = Number(file.stat().size);
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  while (at < size) {
    const bytesRead = file.read(bytes, at, size - at, at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** All bytes of a file where somebody may have put something else: `undefined` for what is no file, or larger. */
export function readSmall(path: string, largest: number): Buffer | undefined {
  const file = disk.open(path, READ);
  try {
    const stats = file.stat();
    return stats.isFile() && stats.size <= largest ? readAll(file) : undefined;
  } finally {
    file.close();
  }
}

/** Writes bytes into an open file, from a position on. */
export function writeAll(file: OpenFile, bytes: Buffer, position = 0): void {
  let at = 0;
  while (at < bytes.length) {
    at += file.write(bytes, at, bytes.length - at, position + at);
  }
}

/** Replaces all content of an open file, and flushes it. */
export async function replaceAll(file: OpenFile, bytes: Buffer): Promise<void> {
  file.truncate(0);
  writeAll(file, bytes);
  await file.datasync();
}
