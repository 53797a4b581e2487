import { dirname } from 'node:path';
import { debugOutput } from '../observe/debug.js';
import { warnOnce } from '../observe/warn-once.js';
import { checkSize, LARGEST, parseContent, readContent } from './content.js';
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
  markedNs: bigint;
}

/** The longest time from the mark to the write. */
const WRITE_TIME = 50_000_000n;

/**
 * Whether the write that a journal says is under way has torn the file, and nobody else can have written it since.
 *
 * @param changedNs - when the file was changed
 * @param nowNs - the mark is later than that if the clock was set back, and then its time says nothing
 */
export function isTornBy(journal: Journal, torn: Buffer, changedNs: bigint, nowNs: bigint): boolean {
  const { content, isUnderWay, markedNs } = journal;
  // A power cut leaves NUL bytes in place of what was not on the disk yet.
  let end = torn.length;
  while (torn[end - 1] === 0) end--;
  const isBeginning = end < content.length && content.subarray(0, end).equals(torn.subarray(0, end));
  const isSoon = changedNs - markedNs <= WRITE_TIME && markedNs - nowNs <= WRITE_TIME;
  return isUnderWay && isBeginning && isSoon && 'value' in parseContent(content);
}

/**
 * The content of a locked file. A write of this library that was interrupted is finished first.
 *
 * @throws {@link SPLockedFileError} with the system's code
 */
export async function readFinished(lock: FileLock, context: LockContext): Promise<Buffer> {
  const bytes = readContent(lock.file, context.fname);
  const parsed = parseContent(bytes);
  // A torn number may look like a whole one. Without the kernel lock, a Python service may be writing the file now.
  const mayBeTorn = 'problem' in parsed || typeof parsed.value === 'number';
  return (mayBeTorn && lock.hasKernelLock && (await finishWrite(lock, bytes, context))) || bytes;
}

async function finishWrite(
  lock: FileLock,
  torn: Buffer,
  { fname, warn }: LockContext,
): Promise<Buffer | undefined> {
  const name = journalPath(lock.path);
  let journal: Descriptor | undefined;
  try {
    const found = readJournal(name);
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    if (!found || !isTornBy(found, torn, disk.fstat(lock.file).mtimeNs, nowNs)) return undefined;
    lock.check();
    journal = disk.open(name, OPEN.toWrite);
    // If this is interrupted as well, the time counts from now on.
    setMark(journal, found.content, UNDER_WAY);
    await replaceAll(lock.file, found.content);
    setMark(journal, found.content, DONE);
    warn(`A write of ${fname} was interrupted; it was finished from ${name}`);
    return found.content;
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
  checkSize(bytes.length, fname);
  const old = await readFinished(lock, context);
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
    const isBack = !isBegun || (await putBack(lock.file, old));
    // Without the kernel lock, somebody else may be writing the journal by now.
    if (journal !== undefined && (lock.hasKernelLock || !isLost))
      await takeBack(journal, bytes, isBack && old);
    if (isLost) throw cause;
    const torn = `it may be torn; "storpool-attachdb repair --file ${fname}" mends it`;
    throw diskError(cause, `Cannot write ${fname}`, isBack ? OLD_CONTENT : torn);
  } finally {
    if (journal !== undefined) closeSafely(journal);
  }
}

const OLD_CONTENT = 'it still has the old content';

/** Puts what is to be written into the journal. */
async function log(journal: Descriptor, lock: FileLock, old: Buffer, bytes: Buffer): Promise<void> {
  const { content, isUnderWay, markedNs } = parseJournal(journal);
  const isFlushed = !isUnderWay && content.equals(old) && disk.fstat(lock.file).mtimeNs <= markedNs;
  // Another program wrote the file, and a power cut must not take both.
  if (!isFlushed) await disk.datasync(lock.file);
  await fill(journal, bytes, UNDER_WAY);
  // The flush may have taken long.
  lock.check();
  setMark(journal, bytes, UNDER_WAY);
}

async function putBack(file: Descriptor, old: Buffer): Promise<boolean> {
  try {
    await replaceAll(file, old);
    return true;
  } catch (error) {
    debug('the old content cannot be put back: %s', (error as Error).message);
    return false;
  }
}

/** What was refused must not come back from the journal, which gets the old content if the file has that. */
async function takeBack(journal: Descriptor, refused: Buffer, old: Buffer | false): Promise<void> {
  try {
    setMark(journal, refused, DONE);
    if (old) await fill(journal, old, DONE);
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
  return { content: bytes.subarray(0, -1), isUnderWay, markedNs: disk.fstat(journal).mtimeNs };
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
  // Another name of the file itself would be a link, too.
  if (stats.isFile() && stats.nlink === 1n && stats.size <= LARGEST + 1) return journal;
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
 * @returns `undefined` if there can be no journal; the file is then written without one
 * @throws {@link SPLockedFileError} with the system's code, also if a write is under way in a journal that cannot be
 * changed: the next holder of the lock could finish it over what is written now
 */
async function openJournal(lock: FileLock, { fname, warn }: LockContext): Promise<Descriptor | undefined> {
  const name = journalPath(lock.path);
  try {
    return await openOrMake(name, lock.file);
  } catch (cause) {
    const isObstructed = codeOf(cause) === 'EEXIST';
    const remedy = isObstructed ? 'remove it' : "make it and its directory writable for this user's group";
    const what = `Cannot write ${name}: ${(cause as Error).message}; ${remedy}`;
    if (!isObstructed && !(isDenied(cause) && isIdle(name))) {
      const message = `${what}. ${fname} still has the old content`;
      throw new SPLockedFileError(codeOf(cause) ?? 'EIO', message, { cause });
    }
    warnOnce(warn, `journal ${fname}`, `${what}. Until then, a kill during a write of ${fname} tears it`);
    return undefined;
  }
}

async function openOrMake(name: string, file: Descriptor): Promise<Descriptor> {
  try {
    const journal = openExisting(name, OPEN.toWrite);
    if (journal !== undefined) return journal;
  } catch (error) {
    if (!isDenied(error)) throw error;
    // Another user made it, and this one may not write it. Nothing is lost, because the file is whole.
    await disk.datasync(file);
    ifThere(() => disk.unlink(name));
  }
  const journal = createLike(file, name);
  try {
    await flushDirectory(dirname(name));
  } catch (error) {
    closeSafely(journal);
    throw error;
  }
  return journal;
}

/** Puts a new name on the disk. */
async function flushDirectory(path: string): Promise<void> {
  const directory = disk.open(path, OPEN.directory);
  try {
    await disk.sync(directory);
  } catch (error) {
    // Some file systems cannot flush a directory, and need not.
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    closeSafely(directory);
  }
}

function isIdle(name: string): boolean {
  try {
    return readJournal(name)?.isUnderWay !== true;
  } catch (error) {
    debug('%s: %s', name, (error as Error).message);
    return false;
  }
}

/** What an operator needs to know of the journal beside a file that was torn. */
export function describeJournal(path: string): string {
  const name = journalPath(path);
  const mtimeMs = ifThere(() => disk.lstat(name))?.mtimeMs;
  if (mtimeMs === undefined) return `There is no ${name}.`;
  const age = Math.round((Date.now() - Number(mtimeMs)) / 1000);
  return `${name} holds what a Node.js process wrote last, ${age} s ago (${new Date(Number(mtimeMs)).toISOString()}).`;
}
