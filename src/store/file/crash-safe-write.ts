import { debugOutput } from '../../observe/debug.js';
import { warnOnce } from '../../observe/warn-once.js';
import type { LockContext, Warn } from '../lock/both-locks.js';
import type { FileLock } from '../lock/file-lock.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { readSidecar, sidecarPath, writeSidecar } from './backup.js';
import { codeOf, disk, isDenied, replacing } from './disk.js';
import { readContent, replaceAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

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
  const old = lock.content ?? (await readContent(lock.handle, fname));
  lock.content = old;
  if (old.equals(bytes)) return;

  const hasSidecar = await trySidecar(lock, bytes, fname, warn, check);
  await check();
  lock.content = undefined;
  try {
    await replaceAll(lock.handle, bytes);
  } catch (cause) {
    throw await rescue(lock, old, hasSidecar, fname, cause);
  }
  lock.content = bytes;
}

/** The content of the sidecar, for a file that is torn; `undefined` if it is none that could be put back. */
export async function findIntact<T>(
  lock: FileLock,
  parse: (bytes: Buffer) => T,
): Promise<{ bytes: Buffer; value: T; written: Date } | undefined> {
  try {
    const sidecar = await readSidecar(lock.path);
    return sidecar && { ...sidecar, value: parse(sidecar.bytes) };
  } catch (error) {
    debug('%s does not help: %s', sidecarPath(lock.path), (error as Error).message);
    return undefined;
  }
}

/**
 * Puts the content of the sidecar back in place of a torn one. What there was of that is kept, should it have
 * been an operator who made a mistake while editing the file.
 *
 * @returns where it is kept, for the message
 */
export async function restore(lock: FileLock, torn: Buffer, intact: Buffer, fname: string): Promise<string> {
  const kept = await keepTorn(lock.path, torn);
  lock.content = undefined;
  try {
    await replaceAll(lock.handle, intact);
  } catch (cause) {
    throw failed(
      fname,
      cause,
      `its content is in ${sidecarPath(lock.path)} and is restored at the next access`,
    );
  }
  lock.content = intact;
  return kept;
}

async function keepTorn(path: string, torn: Buffer): Promise<string> {
  if (torn.length === 0) return '';
  const aside = `${path}.torn`;
  try {
    await replacing(aside, () => disk.create(aside, torn, 0o600));
    return `, kept in ${aside}`;
  } catch (error) {
    return `, not kept: ${(error as Error).message}`;
  }
}

/** @returns whether there is a sidecar now; where this user may not write one, the file itself must do. */
async function trySidecar(
  lock: FileLock,
  bytes: Buffer,
  fname: string,
  warn: Warn,
  check: () => Promise<void>,
): Promise<boolean> {
  try {
    await writeSidecar(lock.path, lock.handle, bytes, check);
    return true;
  } catch (error) {
    if (error instanceof SPLockedFileError) throw error;
    if (!isDenied(error)) throw failed(fname, error, 'the old content stands');
    warnOnce(
      warn,
      `sidecar ${fname}`,
      `Cannot write ${sidecarPath(lock.path)}: ${(error as Error).message}. A process that is killed while it writes ${fname} will leave it torn; let its directory be writable for this user's group`,
    );
    return false;
  }
}

/** After a write in place has failed: tries to put the old content back. */
async function rescue(
  lock: FileLock,
  old: Buffer,
  hasSidecar: boolean,
  fname: string,
  cause: unknown,
): Promise<Error> {
  try {
    await replaceAll(lock.handle, old);
    lock.content = old;
    if (hasSidecar) await takeBack(lock, old);
    return failed(fname, cause, 'the old content stands');
  } catch (error) {
    debug('%s: the old content cannot be put back: %s', fname, (error as Error).message);
    return failed(
      fname,
      cause,
      hasSidecar
        ? `the new content is in ${sidecarPath(lock.path)} and is restored at the next access`
        : 'neither could the old content be put back; restore it from a copy',
    );
  }
}

/** A sidecar with what was not written must not be what a torn file is restored from later. */
async function takeBack(lock: FileLock, old: Buffer): Promise<void> {
  try {
    await writeSidecar(lock.path, lock.handle, old);
  } catch (error) {
    // Better one that is too new than none.
    debug('%s keeps the new content: %s', sidecarPath(lock.path), (error as Error).message);
  }
}

const failed = (fname: string, cause: unknown, state: string) =>
  new SPLockedFileError(
    codeOf(cause) ?? 'EIO',
    `Cannot write ${fname}: ${(cause as Error).message}; ${state}`,
    { cause },
  );
