import { uptime } from 'node:os';
import { dirname } from 'node:path';
import { debugOutput } from '../observe/debug.js';
import { warnOnce } from '../observe/warn-once.js';
import { LARGEST, parseContent, readContent } from './content.js';
import { createLike } from './create-like.js';
import {
  closeSafely,
  codeOf,
  type Descriptor,
  disk,
  diskError,
  ifThere,
  isDenied,
  OPEN,
  readAll,
  replaceAll,
  writeAll,
} from './disk.js';
import type { FileLock } from './file-lock.js';
import type { LockContext } from './lock-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

/** The redo journal of a file: the content that a process of this library wrote last, and a mark. */
const journalPath = (path: string) => `${path}.backup`;

/** The mark is the last byte, white space after the JSON: the file is being written, or has the content. */
const UNDER_WAY = 0x09;
const DONE = 0x0a;

/** What a journal holds. */
export interface Journal {
  content: Buffer;
  isUnderWay: boolean;
  /** When it was marked. Nanoseconds since 1970. */
  mtimeNs: bigint;
}

/** The longest time from the mark to the write. No other program can lock the file, write it and be killed meanwhile. */
const WRITE_TIME = 50_000_000n;
/** The same after a power cut, which may have taken the last time of the mark: as long as a flush may take. */
const FLUSH_TIME = 60_000_000_000n;

/**
 * Whether the write that a journal says is under way has torn the file, and nobody else can have written it since.
 *
 * @param mtimeNs - when the file was changed
 * @param bootNs - when this system was started
 */
export function isTornBy(journal: Journal, torn: Buffer, mtimeNs: bigint, bootNs: bigint): boolean {
  const { content, isUnderWay } = journal;
  // A power cut leaves NUL bytes in place of what was not on the disk yet.
  let end = torn.length;
  while (torn[end - 1] === 0) end--;
  const isBeginning = end < content.length && content.subarray(0, end).equals(torn.subarray(0, end));
  const isBeforeBoot = mtimeNs < bootNs && journal.mtimeNs < bootNs;
  const isSoon = mtimeNs - journal.mtimeNs <= (isBeforeBoot ? FLUSH_TIME : WRITE_TIME);
  return isUnderWay && isBeginning && isSoon && 'value' in parseContent(content);
}

/**
 * Finishes a write of this library that was interrupted.
 *
 * @returns whether it did; otherwise somebody else has torn the file
 * @throws {@link SPLockedFileError} with the system's code
 */
export async function finishWrite(lock: FileLock, torn: Buffer, context: LockContext): Promise<boolean> {
  // Without the kernel lock, a Python service may be writing it now.
  if (!lock.hasKernelLock) return false;
  const { fname, warn } = context;
  const name = journalPath(lock.path);
  let journal: Descriptor | undefined;
  try {
    const found = readJournal(name);
    const bootNs = BigInt(Math.floor(Date.now() - uptime() * 1000)) * 1_000_000n;
    if (!found || !isTornBy(found, torn, disk.fstat(lock.file).mtimeNs, bootNs)) return false;
    lock.check();
    journal = disk.open(name, OPEN.toWrite);
    // If this is interrupted as well, the time counts from now on.
    setMark(journal, found.content, UNDER_WAY);
    await replaceAll(lock.file, found.content);
    setMark(journal, found.content, DONE);
    warn(`A write of ${fname} was interrupted; it was finished from ${name}`);
    return true;
  } catch (cause) {
    if (cause instanceof SPLockedFileError) throw cause;
    const remedy = isDenied(cause) ? `. Give ${name} the group and the mode of ${fname}` : '';
    throw diskError(cause, `${fname} is torn, and ${name} cannot be used`, `it is still torn${remedy}`);
  } finally {
    if (journal !== undefined) closeSafely(journal);
  }
}

/**
 * Replaces the content of a locked file so that a kill or a power cut at any moment leaves the old or the new content:
 * while the journal is torn the file is whole, and the other way round. In place, because other programs keep the file
 * open and lock its inode.
 *
 * @throws {@link SPLockedFileError} with the system's code; its message says which content the file has.
 */
export async function writeContent(lock: FileLock, bytes: Buffer, context: LockContext): Promise<void> {
  const { fname } = context;
  const old = readContent(lock.file, fname);
  if (old.equals(bytes)) return;
  lock.check();
  // Beside a torn file, the journal may hold the only copy of an entry, and stays.
  const journal = 'value' in parseContent(old) ? await openJournal(lock, context) : undefined;
  let isBegun = false;
  try {
    if (journal !== undefined) await log(journal, lock, old, bytes);
    isBegun = true;
    await replaceAll(lock.file, bytes);
    if (journal !== undefined) setMark(journal, bytes, DONE);
  } catch (cause) {
    const isLost = cause instanceof SPLockedFileError;
    let state = OLD_CONTENT;
    try {
      if (isBegun) await replaceAll(lock.file, old);
      // Without the kernel lock, somebody else may be writing the journal by now.
      if (journal !== undefined && (lock.hasKernelLock || !isLost)) await takeBack(journal, old);
    } catch (error) {
      debug('%s: the old content cannot be put back: %s', fname, (error as Error).message);
      const isLeft = journal !== undefined && lock.hasKernelLock && leaveToNext(journal, lock.file, bytes);
      const repair = `it may be torn; "storpool-attachdb repair --file ${fname}" mends it`;
      state = isLeft ? 'the next call finishes the write from the copy beside it' : repair;
    }
    throw isLost ? cause : diskError(cause, `Cannot write ${fname}`, state);
  } finally {
    if (journal !== undefined) closeSafely(journal);
  }
}

const OLD_CONTENT = 'it still has the old content';

/** Puts what is to be written into the journal. */
async function log(journal: Descriptor, lock: FileLock, old: Buffer, bytes: Buffer): Promise<void> {
  const { content, isUnderWay, mtimeNs } = parseJournal(journal);
  const isFlushed = !isUnderWay && content.equals(old) && disk.fstat(lock.file).mtimeNs <= mtimeNs;
  // Another program wrote the file, and a power cut must not take both.
  if (!isFlushed) await disk.datasync(lock.file);
  await fill(journal, bytes, UNDER_WAY);
  // The flush may have taken long.
  lock.check();
  setMark(journal, bytes, UNDER_WAY);
}

/** Makes sure that the next holder of the lock finishes the write: an empty file is the beginning of any content. */
function leaveToNext(journal: Descriptor, file: Descriptor, bytes: Buffer): boolean {
  try {
    disk.truncate(file, 0);
    setMark(journal, bytes, UNDER_WAY);
    return true;
  } catch (error) {
    debug('the file cannot be emptied: %s', (error as Error).message);
    return false;
  }
}

/** The file has the old content, and the journal must not keep what the file did not get. */
async function takeBack(journal: Descriptor, old: Buffer): Promise<void> {
  try {
    disk.truncate(journal, 0);
    await fill(journal, old, DONE);
  } catch (error) {
    debug('the journal cannot be taken back: %s', (error as Error).message);
  }
}

/** Puts content into the journal, and on the disk. The journal may be torn meanwhile. */
async function fill(journal: Descriptor, content: Buffer, mark: number): Promise<void> {
  writeAll(journal, Buffer.concat([content, Buffer.of(mark)]));
  disk.truncate(journal, content.length + 1);
  await disk.datasync(journal);
}

/** Not flushed: a power cut that takes the mark is as if it came a moment sooner. */
const setMark = (journal: Descriptor, content: Buffer, mark: number) =>
  writeAll(journal, Buffer.of(mark), content.length);

function parseJournal(journal: Descriptor): Journal {
  const bytes = readAll(journal);
  const isUnderWay = bytes.at(-1) === UNDER_WAY;
  return { content: bytes.subarray(0, -1), isUnderWay, mtimeNs: disk.fstat(journal).mtimeNs };
}

/** @returns `undefined` if there is none, or something else in its place: a pipe, a link, an endless file */
function openExisting(name: string, flags: number): Descriptor | undefined {
  let journal: Descriptor;
  try {
    journal = disk.open(name, flags);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
  const stats = disk.fstat(journal);
  if (stats.isFile() && stats.size <= LARGEST + 1) return journal;
  closeSafely(journal);
  return undefined;
}

function readJournal(name: string): Journal | undefined {
  const journal = openExisting(name, OPEN.toRead);
  if (journal === undefined) return undefined;
  try {
    return parseJournal(journal);
  } finally {
    closeSafely(journal);
  }
}

/**
 * Opens the journal, or makes one with the owner, group and mode of the file, as far as this user may set them.
 *
 * @returns `undefined` if there can be none; the file is then written without one
 * @throws {@link SPLockedFileError} with the system's code, also if a write is under way in a journal that cannot be
 * changed: the next holder of the lock would finish it over what is written now
 */
async function openJournal(lock: FileLock, { fname, warn }: LockContext): Promise<Descriptor | undefined> {
  const name = journalPath(lock.path);
  try {
    return openExisting(name, OPEN.toWrite) ?? (await makeJournal(lock.file, name));
  } catch (cause) {
    const isObstructed = codeOf(cause) === 'EEXIST';
    if (!isObstructed && !(isDenied(cause) && isIdle(name))) {
      throw diskError(cause, `Cannot write ${fname} without ${name}`, OLD_CONTENT);
    }
    const remedy = isObstructed ? 'remove it' : "make it and its directory writable for this user's group";
    const message = `Cannot write ${name}: ${(cause as Error).message}; ${remedy}. Until then, a kill during a write of ${fname} tears it`;
    warnOnce(warn, `journal ${fname}`, message);
    return undefined;
  }
}

/** Whether no write is under way. Who cannot read the journal does not know. */
function isIdle(name: string): boolean {
  try {
    return readJournal(name)?.isUnderWay !== true;
  } catch (error) {
    debug('%s: %s', name, (error as Error).message);
    return false;
  }
}

async function makeJournal(file: Descriptor, name: string): Promise<Descriptor> {
  const journal = createLike(file, name);
  try {
    // The new name must be on the disk.
    const directory = disk.open(dirname(name), OPEN.directory);
    await disk.sync(directory).finally(() => closeSafely(directory));
  } catch (error) {
    closeSafely(journal);
    throw error;
  }
  return journal;
}

/** What an operator needs to know of the journal beside a file that was torn. */
export function describeJournal(path: string): string {
  const name = journalPath(path);
  const mtimeMs = ifThere(() => disk.lstat(name))?.mtimeMs;
  if (mtimeMs === undefined) return `There is no ${name}.`;
  const age = Math.round((Date.now() - Number(mtimeMs)) / 1000);
  return `${name} holds what a Node.js process wrote last, ${age} s ago (${new Date(Number(mtimeMs)).toISOString()}).`;
}
