import { debugOutput } from '../../observe/debug.js';
import { warnOnce } from '../../observe/warn-once.js';
import type { FileLock } from '../lock/file-lock.js';
import type { LockContext } from '../lock-options.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { backupPath, fillBackup, isUnfinished, openBackup, readBackup, setMark } from './backup.js';
import { codeOf, disk, diskError, isDenied, type OpenFile } from './disk.js';
import { readAll, replaceAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

/**
 * What a locked file holds.
 *
 * @throws {@link SPLockedFileError} with the system's code
 */
export function readContent(lock: FileLock, fname: string): Buffer {
  try {
    lock.content ??= readAll(lock.file);
    return lock.content;
  } catch (cause) {
    throw diskError(cause, `Cannot read ${fname}`, 'nothing was changed');
  }
}

/**
 * Replaces the content of a locked file so that a kill or a power cut at any moment leaves the old or the new content:
 * it writes the copy while the file is whole, then the file while the copy is whole. In place, because other programs
 * keep the file open.
 *
 * @param check - throws if the lock was lost, for example during a flush
 * @throws {@link SPLockedFileError} with the system's code; its message says which content the file has.
 */
export async function writeSafely(
  lock: FileLock,
  bytes: Buffer,
  context: LockContext,
  check: () => Promise<void>,
): Promise<void> {
  const { fname } = context;
  const old = readContent(lock, fname);
  if (old.equals(bytes)) return;
  const copy = await openCopy(lock, context);
  try {
    try {
      if (copy) await fillBackup(copy, bytes, 'pending');
      await check();
      if (copy) setMark(copy, bytes, 'writing');
    } catch (error) {
      if (copy) await rollBackCopy(copy, lock, old, bytes);
      throw error instanceof SPLockedFileError
        ? error
        : diskError(error, `Cannot write ${fname}`, 'it still has the old content');
    }
    lock.content = undefined;
    try {
      await replaceAll(lock.file, bytes);
    } catch (cause) {
      throw await rollBack(lock, { copy, old, bytes, fname, cause });
    }
    lock.content = bytes;
    lock.isFlushed = true;
    await lock.checkAfterWrite();
    if (copy) finish(() => setMark(copy, bytes, 'complete'));
  } finally {
    if (copy) finish(() => copy.close());
  }
}

/** Runs what must not fail a call whose work is done. */
function finish(work: () => void): void {
  try {
    work();
  } catch (error) {
    debug('after a write: %s', (error as Error).message);
  }
}

/**
 * Replaces torn content; the copy stays untouched until the file is whole.
 *
 * @throws {@link SPLockedFileError} with the system's code
 */
export async function overwriteBroken(lock: FileLock, bytes: Buffer, context: LockContext): Promise<void> {
  lock.content = undefined;
  try {
    await replaceAll(lock.file, bytes);
  } catch (cause) {
    throw diskError(
      cause,
      `Cannot write ${context.fname}`,
      `what ${backupPath(lock.path)} contains is restored at the next access`,
    );
  }
  lock.content = bytes;
  lock.isFlushed = true;
  await lock.checkAfterWrite();
  try {
    await renewBackup(lock, bytes);
  } catch (error) {
    warnOfCopy(lock.path, context, error);
  }
}

/**
 * Renews a copy that differs from the file: restoring an old copy would undo later changes. A file without a copy gets
 * one when it is written.
 */
export async function keepBackupYoung(lock: FileLock, content: Buffer, context: LockContext): Promise<void> {
  try {
    const backup = readable(() => readBackup(lock.path, lock.file));
    if (backup === undefined) return;
    const hasContent = backup !== 'unreadable' && backup.content.equals(content);
    // The mark is set after the file was flushed. A younger file has been written again since then.
    lock.isFlushed = hasContent && backup.mark === 'complete' && backup.fileIsYounger <= 0n;
    if (!lock.isFlushed) await renewBackup(lock, content, hasContent);
  } catch (error) {
    warnOfCopy(lock.path, context, error);
  }
}

async function renewBackup(lock: FileLock, content: Buffer, hasContent = false): Promise<void> {
  // Another program may not have flushed the file, and the copy is about to be torn.
  await lock.file.datasync();
  lock.isFlushed = true;
  const copy = await openBackup(lock.path, lock.file);
  try {
    if (hasContent) setMark(copy, content, 'complete');
    else await fillBackup(copy, content, 'complete');
  } finally {
    copy.close();
  }
}

/** @returns `undefined` if this user cannot write a copy; the file is then written without one */
async function openCopy(lock: FileLock, context: LockContext): Promise<OpenFile | undefined> {
  try {
    if (!lock.isFlushed) await lock.file.datasync();
    return await openBackup(lock.path, lock.file);
  } catch (error) {
    // A directory in its place means that there is no older copy.
    if (!isDenied(error) && codeOf(error) !== 'EISDIR')
      throw diskError(error, `Cannot write ${context.fname}`, 'it still has the old content');
    warnOfCopy(lock.path, context, error);
    return undefined;
  }
}

function readable<T>(read: () => T): T | 'unreadable' {
  try {
    return read();
  } catch (error) {
    debug('the copy cannot be read: %s', (error as Error).message);
    return 'unreadable';
  }
}

const warnOfCopy = (path: string, { fname, warn }: LockContext, error: unknown) =>
  warnOnce(
    warn,
    `backup ${fname}`,
    `Cannot write ${backupPath(path)}: ${(error as Error).message}. A process that is killed while it writes ${fname} will leave it torn: make the copy and its directory writable for this user's group`,
  );

/** Tries to put the old content back after a failed write. */
async function rollBack(
  lock: FileLock,
  write: { copy: OpenFile | undefined; old: Buffer; bytes: Buffer; fname: string; cause: unknown },
): Promise<Error> {
  const { copy, old, bytes, fname, cause } = write;
  try {
    await replaceAll(lock.file, old);
    lock.content = old;
    if (copy) await rollBackCopy(copy, lock, old, bytes);
    return diskError(cause, `Cannot write ${fname}`, 'it still has the old content');
  } catch (error) {
    debug('%s: the old content cannot be put back: %s', fname, (error as Error).message);
    return diskError(
      cause,
      `Cannot write ${fname}`,
      copy
        ? `the new content is in ${backupPath(lock.path)}, and is restored at the next access`
        : 'the old content could not be put back either: restore it from a copy',
    );
  }
}

/** The copy must not keep content that the file did not get: a later restore would bring it back. */
async function rollBackCopy(copy: OpenFile, lock: FileLock, old: Buffer, refused: Buffer): Promise<void> {
  try {
    if (lock.isOurs) await fillBackup(copy, old, 'complete');
    // Somebody else may be writing the copy by now.
    else if (isUnfinished(copy, refused)) disk.unlink(backupPath(lock.path));
  } catch (error) {
    debug('%s cannot be rolled back: %s', backupPath(lock.path), (error as Error).message);
  }
}
