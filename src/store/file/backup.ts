import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { debugOutput } from '../../observe/debug.js';
import { CREATE, codeOf, disk, ignoreMissing, isDenied, type OpenFile, replacing } from './disk.js';
import { readAll, writeAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;

/** The complete copy beside a file, which a torn one is restored from. */
export const sidecarPath = (path: string) => `${path}.backup`;
/** One name is enough, since it is written under the lock; what a killed process left there is replaced. */
const temporaryPath = (path: string) => `${path}.backup.tmp`;

/**
 * Puts a complete copy of the new content beside a file, and on the disk, in one step: at every instant the
 * old copy or the new one is there. It has the mode and, where this user may give it, the group of the file.
 *
 * @param check - called before the old copy is replaced, which stays if it throws
 */
export async function writeSidecar(
  path: string,
  file: OpenFile,
  bytes: Buffer,
  check?: () => Promise<void>,
): Promise<void> {
  const temporary = temporaryPath(path);
  const handle = await replacing(temporary, () => disk.open(temporary, CREATE, 0o600));
  try {
    await adopt(handle, file);
    await writeAll(handle, bytes);
    await handle.datasync();
    await check?.();
  } catch (error) {
    await handle.close();
    await disk.unlink(temporary).catch(ignoreMissing);
    throw error;
  }
  await handle.close();
  await disk.rename(temporary, sidecarPath(path));
  await flushDirectory(dirname(path));
}

/** What the sidecar holds and when it was written, or `undefined` where there is none. */
export async function readSidecar(path: string): Promise<{ bytes: Buffer; written: Date } | undefined> {
  // Without O_NONBLOCK, opening a pipe that somebody put there would wait for ever.
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
  const handle = await disk.open(sidecarPath(path), flags).catch(ignoreMissing);
  if (handle === undefined) return undefined;
  try {
    const stats = await handle.stat();
    return stats.isFile() ? { bytes: await readAll(handle), written: stats.mtime } : undefined;
  } finally {
    await handle.close();
  }
}

/** Gives a new file the group and the mode of another; the group first, so that no other group ever gets in. */
async function adopt(handle: OpenFile, from: OpenFile): Promise<void> {
  const [ours, theirs] = await Promise.all([handle.stat(), from.stat()]);
  if (ours.gid !== theirs.gid) {
    try {
      await handle.chown(-1, theirs.gid);
    } catch (error) {
      if (!isDenied(error)) throw error;
      debug('this user may not give the sidecar the group %d of the file', theirs.gid);
    }
  }
  await handle.chmod(theirs.mode & 0o777);
}

/** Until then the rename is only in memory. */
async function flushDirectory(dir: string): Promise<void> {
  const handle = await disk.open(dir, O_RDONLY | O_DIRECTORY);
  try {
    await handle.sync();
  } catch (error) {
    // Some file systems cannot flush a directory, nor need they.
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    await handle.close();
  }
}
