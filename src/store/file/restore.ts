import { hostname } from 'node:os';
import { basename, dirname } from 'node:path';
import { afterRealTime } from '../../async/event-loop.js';
import { debugOutput } from '../../observe/debug.js';
import type { FileLock } from '../lock/file-lock.js';
import type { LockContext } from '../lock-options.js';
import { type Backup, backupPath, flushDirectory, readBackup, replaceBackup } from './backup.js';
import { corrupt, examine, formatContent, withoutNuls } from './content.js';
import { overwriteBroken, readContent } from './crash-safe-write.js';
import { createLike, writeLike } from './create-like.js';
import { codeOf, disk, diskError, replacing } from './disk.js';
import { readAll, readSmall, writeAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

/** The note that a file was restored from a copy that may be old. An operator removes it. */
export const restoredPath = (path: string) => `${path}.restored`;

/** A larger note is not ours. Bytes. */
const LARGEST_NOTE = 1_000_000;
/** How many torn contents are kept. */
const TORN_KEPT = 10;
/**
 * The longest time, in nanoseconds, from the mark of our write to the write. No other program can lock the file, write it
 * and be killed in that time.
 */
const WRITE_TIME = 50_000_000n;

/** How long to wait before a torn file is read again, because a program without our lock may be writing it. Milliseconds. */
const SECOND_LOOK = 50;

/**
 * The content of a locked file; a torn file is restored first.
 *
 * @throws {@link SPLockedFileError} `ECORRUPT` if that is not possible, or the system's code
 */
export async function readWhole(
  lock: FileLock,
  context: LockContext,
): Promise<{ bytes: Buffer; value: unknown }> {
  const { fname } = context;
  let bytes = readContent(lock, fname);
  let content = examine(bytes, fname);
  if (content.state === 'torn') {
    await new Promise<void>((resolve) => afterRealTime(SECOND_LOOK, resolve));
    lock.content = undefined;
    bytes = readContent(lock, fname);
    content = examine(bytes, fname);
  }
  if (content.state === 'torn') {
    bytes = await restore(lock, bytes, content.entries, context);
    content = examine(bytes, fname);
  }
  if (content.state === 'whole') return { bytes, value: content.value };
  throw corrupt(fname, content.state === 'wrong' ? content.problem : 'ends before its JSON does');
}

/** The content of {@link restoredPath}, if it exists. */
export function readRestoredNote(path: string): string | undefined {
  try {
    return readSmall(restoredPath(path), LARGEST_NOTE)?.toString() ?? '';
  } catch (error) {
    // What cannot be read exists all the same.
    return codeOf(error) === 'ENOENT' ? undefined : (error as Error).message;
  }
}

/**
 * Restores a torn file from the copy beside it.
 *
 * @param entries - the entries of the torn content that are whole
 * @throws {@link SPLockedFileError} `ECORRUPT` if that is not possible, or the system's code
 */
async function restore(
  lock: FileLock,
  torn: Buffer,
  entries: Record<string, unknown>,
  context: LockContext,
): Promise<Buffer> {
  const { fname, warn } = context;
  const problem = torn.length === 0 ? 'is empty' : 'ends before its JSON does';
  if (!lock.hasKernelLock) {
    throw corrupt(fname, `${problem}, and without the kernel lock a Python service may be writing it now`);
  }
  const backup = readCopy(lock, fname, problem);
  const copied = backup?.isTrusted ? examine(backup.content, fname) : undefined;
  if (backup === undefined || copied?.state !== 'whole') {
    const copy =
      backup?.isTrusted === false
        ? ` (not every user who can write it can write ${backupPath(lock.path)})`
        : '';
    throw corrupt(fname, `${problem}, and there is no copy that can be trusted${copy}`);
  }
  const isOurs = isOurTear(torn, backup);
  const bytes = isOurs ? backup.content : merged(backup.content, copied.value, entries);
  const from = `${backupPath(lock.path)} of ${new Date(Number(backup.mtimeNs / 1_000_000n)).toISOString()}`;
  const kept = keepTorn(lock, torn);
  if (!isOurs) await noteRestored(lock, `${fname} was torn and was restored from ${from}${kept}`, fname);
  // A kill during the restore must not lose the entries that only the torn file has.
  await replaceBackup(lock.path, lock.file, bytes, isOurs ? 'writing' : 'complete').catch((error: Error) =>
    debug('%s cannot be replaced: %s', backupPath(lock.path), error.message),
  );
  // While this process was stopped at a flush, somebody without the kernel lock may have written the file.
  if ((await lock.check()) && !readAll(lock.file).equals(torn)) {
    throw lock.markCompromised('another program changed the file before it could be restored');
  }
  await overwriteBroken(lock, bytes, context);
  const lost = isOurs
    ? 'This is what was being written'
    : `Later changes by other programs may be lost: check it, then remove ${restoredPath(lock.path)}`;
  warn(`${fname} was torn (${torn.length} bytes${kept}); it was restored from ${from}. ${lost}`);
  return bytes;
}

function readCopy(lock: FileLock, fname: string, problem: string): Backup | undefined {
  try {
    return readBackup(lock.path, lock.file);
  } catch (cause) {
    throw diskError(
      cause,
      `${fname} ${problem}, and its copy ${backupPath(lock.path)} cannot be read`,
      'nothing was changed. Make the copy readable, or restore the file from it by hand',
    );
  }
}

/**
 * Whether an interrupted write of this library tore the file, or an interrupted restore of one, which sets the mark again,
 * and nobody else can have written in between.
 */
function isOurTear(torn: Buffer, { mark, content, fileIsYounger }: Backup): boolean {
  const written = withoutNuls(torn);
  const isBeginning = content.subarray(0, written.length).equals(written);
  return mark === 'writing' && isBeginning && fileIsYounger <= WRITE_TIME;
}

/** The copy, with the newer entries of the torn content. */
function merged(copy: Buffer, value: unknown, entries: Record<string, unknown>): Buffer {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (!isObject || Object.keys(entries).length === 0) return copy;
  return formatContent(Object.fromEntries([...Object.entries(value), ...Object.entries(entries)]));
}

/** Earlier ones are not overwritten, because they may hold the only trace of an entry. @returns where it is kept, for messages */
function keepTorn({ path, file }: FileLock, torn: Buffer): string {
  if (torn.length === 0) return '';
  try {
    const name = `${basename(path)}.torn.`;
    const numbers = disk
      .readdir(dirname(path))
      .filter((entry) => entry.startsWith(name) && /^[0-9]+$/u.test(entry.slice(name.length)))
      .map((entry) => Number(entry.slice(name.length)))
      .sort((a, b) => a - b);
    const aside = `${path}.torn.${(numbers.at(-1) ?? 0) + 1}`;
    writeLike(file, aside, torn);
    for (const number of numbers.slice(0, 1 - TORN_KEPT)) disk.unlink(`${path}.torn.${number}`);
    return `, kept in ${aside}`;
  } catch (error) {
    return `, not kept: ${(error as Error).message}`;
  }
}

/** The note must be on the disk before the file is restored, so that nobody trusts the file. */
async function noteRestored(lock: FileLock, line: string, fname: string): Promise<void> {
  const path = restoredPath(lock.path);
  try {
    const earlier = readRestoredNote(lock.path) ?? '';
    const note = replacing(path, () => createLike(lock.file, path));
    try {
      const who = `process ${process.pid} on ${hostname()}`;
      writeAll(note, Buffer.from(`${earlier}${new Date().toISOString()} by ${who}: ${line}\n`));
      await note.datasync();
    } finally {
      note.close();
    }
    await flushDirectory(dirname(path));
  } catch (cause) {
    throw diskError(
      cause,
      `${fname} is torn and its copy may be old, but ${path}, which would say so, cannot be written`,
      "nothing was changed. Make the directory writable for this user's group",
    );
  }
}
