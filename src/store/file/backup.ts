import { constants } from 'node:fs';
import { dirname } from 'node:path';
import { debugOutput } from '../../observe/debug.js';
import { CREATE, codeOf, disk, ifThere, isDenied, type OpenFile, READ, replacing } from './disk.js';
import { readAll, writeAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

/** The complete copy beside a file, which a torn one is restored from. */
export const backupPath = (path: string) => `${path}.backup`;
/** One name is enough, since it is written under the lock; what a killed process left there is replaced. */
const temporaryPath = (path: string) => `${path}.backup.tmp`;

/**
 * Puts a complete copy of the new content beside a file, and on the disk, in one step: at every instant the
 * old copy or the new one is there. It has the mode and, where this user may give it, the group of the file.
 *
 * @param check - called before the old copy is replaced, which stays if it throws
 */
export async function writeBackup(
  path: string,
  file: OpenFile,
  bytes: Buffer,
  check?: () => Promise<void>,
): Promise<void> {
  const temporary = temporaryPath(path);
  const copy = replacing(temporary, () => disk.open(temporary, CREATE, 0o600));
  try {
    adopt(copy, file);
    writeAll(copy, bytes);
    await copy.datasync();
    await check?.();
  } catch (error) {
    copy.close();
    ifThere(() => disk.unlink(temporary));
    throw error;
  }
  copy.close();
  disk.rename(temporary, backupPath(path));
  await flushDirectory(dirname(path));
}

/** What the copy holds and when it was written, or `undefined` where there is none. */
export function readBackup(path: string): { bytes: Buffer; written: Date } | undefined {
  const copy = ifThere(() => disk.open(backupPath(path), READ));
  if (copy === undefined) return undefined;
  try {
    const stats = copy.stat();
    return stats.isFile() ? { bytes: readAll(copy), written: stats.mtime } : undefined;
  } finally {
    copy.close();
  }
}

/** Gives a new file the group and the mode of another; the group first, so that no other group ever gets in. */
function adopt(file: OpenFile, from: OpenFile): void {
  const theirs = from.stat();
  if (file.stat().gid !== theirs.gid) {
    try {
      file.chown(-1, Number(theirs.gid));
    } catch (error) {
      if (!isDenied(error)) throw error;
      debug('this user may not give the copy the group %d of the file', theirs.gid);
    }
  }
  file.chmod(Number(theirs.mode) & 0o777);
}

/** Until then the rename is only in memory. */
async function flushDirectory(dir: string): Promise<void> {
  const directory = disk.open(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await directory.sync();
  } catch (error) {
    // Some file systems cannot flush a directory, nor need they.
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    directory.close();
  }
}
