import { debugOutput } from '../../observe/debug.js';
import { warnOnce } from '../../observe/warn-once.js';
import type { FileLock, LockContext } from '../lock/acquire.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { backupPath, readBackup, writeBackup } from './backup.js';
import { codeOf, disk, isDenied, replacing } from './disk.js';
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
    const message = `Cannot read ${fname}: ${(cause as Error).message}; nothing was changed`;
    throw new SPLockedFileError(codeOf(cause) ?? 'EIO', message, { cause });
  }
}

/**
 * Replaces what a locked file holds so that neither a kill nor a power cut at any moment loses both the old
 * and the new content: first a complete copy beside it, then in place, since the other programs that share
 * the file hold on to its inode.
 *
 * @param check - throws if the lock is no longer ours, as it may be after every flush
 * @throws {@link SPLockedFileError} with the system's code; its message says which of the two contents stands.
 */
export async function writeSafely(
  lock: FileLock,
  bytes: Buffer,
  { fname, warn }: LockContext,
  check: () => Promise<void>,
): Promise<void> {
  const old = readContent(lock, fname);
  if (old.equals(bytes)) return;

  const hasBackup = await tryBackup(lock, bytes, fname, warn, check);
  await check();
  lock.content = undefined;
  try {
    await replaceAll(lock.file, bytes);
  } catch (cause) {
    throw await rollBack(lock, old, hasBackup, fname, cause);
  }
  lock.content = bytes;
}

/** The content of the backup, for a file that is torn; `undefined` if it is none that could be put back. */
export function findIntact<T>(
  lock: FileLock,
  parse: (bytes: Buffer) => T,
): { bytes: Buffer; value: T; written: Date } | undefined {
  try {
    const backup = readBackup(lock.path);
    return backup && { ...backup, value: parse(backup.bytes) };
  } catch (error) {
    debug('%s does not help: %s', backupPath(lock.path), (error as Error).message);
    return undefined;
  }
}

/**
 * Puts the content of the backup back in place of a torn one. What there was of that is kept, should it have
 * been an operator who made a mistake while editing the file.
 *
 * @returns where it is kept, for the message
 */
export async function restore(lock: FileLock, torn: Buffer, intact: Buffer, fname: string): Promise<string> {
  const kept = keepTorn(lock.path, torn);
  lock.content = undefined;
  try {
    await replaceAll(lock.file, intact);
  } catch (cause) {
    throw failed(
      fname,
      cause,
      `its content is in ${backupPath(lock.path)} and is restored at the next access`,
    );
  }
  lock.content = intact;
  return kept;
}

function keepTorn(path: string, torn: Buffer): string {
  if (torn.length === 0) return '';
  const aside = `${path}.torn`;
  try {
    replacing(aside, () => disk.create(aside, torn, 0o600));
    return `, kept in ${aside}`;
  } catch (error) {
    return `, not kept: ${(error as Error).message}`;
  }
}

/** @returns whether there is a backup now; where this user may not write one, the file itself must do. */
async function tryBackup(
  lock: FileLock,
  bytes: Buffer,
  fname: string,
  warn: (message: string) => void,
  check: () => Promise<void>,
): Promise<boolean> {
  try {
    await writeBackup(lock.path, lock.file, bytes, check);
    return true;
  } catch (error) {
    if (error instanceof SPLockedFileError) throw error;
    if (!isDenied(error)) throw failed(fname, error, 'the old content stands');
    warnOnce(
      warn,
      `backup ${fname}`,
      `Cannot write ${backupPath(lock.path)}: ${(error as Error).message}. A process that is killed while it writes ${fname} will leave it torn; let its directory be writable for this user's group`,
    );
    return false;
  }
}

/** After a write in place has failed: tries to put the old content back. */
async function rollBack(
  lock: FileLock,
  old: Buffer,
  hasBackup: boolean,
  fname: string,
  cause: unknown,
): Promise<Error> {
  try {
    await replaceAll(lock.file, old);
    lock.content = old;
    if (hasBackup) await rollBackCopy(lock, old);
    return failed(fname, cause, 'the old content stands');
  } catch (error) {
    debug('%s: the old content cannot be put back: %s', fname, (error as Error).message);
    return failed(
      fname,
      cause,
      hasBackup
        ? `the new content is in ${backupPath(lock.path)} and is restored at the next access`
        : 'neither could the old content be put back; restore it from a copy',
    );
  }
}

/** A backup with what was not written must not be what a torn file is restored from later. */
async function rollBackCopy(lock: FileLock, old: Buffer): Promise<void> {
  try {
    await writeBackup(lock.path, lock.file, old);
  } catch (error) {
    // Better one that is too new than none.
    debug('%s keeps the new content: %s', backupPath(lock.path), (error as Error).message);
  }
}

const failed = (fname: string, cause: unknown, state: string) =>
  new SPLockedFileError(
    codeOf(cause) ?? 'EIO',
    `Cannot write ${fname}: ${(cause as Error).message}; ${state}`,
    { cause },
  );
