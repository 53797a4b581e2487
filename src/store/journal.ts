import { debugOutput } from '../observe/debug.js';
import { type Content, checkSize, parseContent, readContent } from './content.js';
import { closeSafely, type Descriptor, disk, diskError, isDenied, OPEN, replaceAll } from './disk.js';
import type { FileLock } from './file-lock.js';
import {
  DONE,
  fill,
  type Journal,
  journalPath,
  openJournal,
  readJournal,
  setMark,
  UNDER_WAY,
} from './journal-file.js';
import type { LockContext } from './lock-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

/**
 * What a file begins with while it is written. No JSON does, nor anything that another program leaves, so a file that
 * does was torn by this library, and nobody has changed it since.
 */
const BEING_WRITTEN = Buffer.from('!');

/**
 * How long after the mark a write may have changed a file that does not begin with `!`: the power was cut, or a build from
 * before the first release was killed. Nanoseconds.
 */
const WRITE_TIME = 50_000_000n;

/**
 * Whether the write that a journal says is under way has torn the file, and, as far as can be told, nobody has written it since.
 *
 * @param changedNs - when the file was changed
 * @param nowNs - the mark is later than that if the clock was set back, and then its time says nothing
 */
export function isTornBy(
  journal: Omit<Journal, 'file'>,
  torn: Buffer,
  changedNs: bigint,
  nowNs: bigint,
): boolean {
  const { content, isUnderWay, markedNs } = journal;
  if (!isUnderWay || 'problem' in parseContent(content)) return false;
  if (torn.subarray(0, BEING_WRITTEN.length).equals(BEING_WRITTEN)) return true;
  // A power cut leaves NUL bytes in place of what was not on the disk yet.
  let end = torn.length;
  while (torn[end - 1] === 0) end--;
  const isBeginning = end < content.length && content.subarray(0, end).equals(torn.subarray(0, end));
  const isSoon = changedNs - markedNs <= WRITE_TIME && markedNs - nowNs <= WRITE_TIME;
  return isBeginning && isSoon;
}

/**
 * The content of a locked file, and what it is. A write of this library that was interrupted is finished first.
 *
 * @throws {@link SPLockedFileError} with the system's code
 */
export async function readFinished(
  lock: FileLock,
  context: LockContext,
): Promise<{ bytes: Buffer; content: Content }> {
  const bytes = readContent(lock.file, context.fname);
  const content = parseContent(bytes);
  // A torn number may look like a whole one. Without the kernel lock, a Python service may be writing the file now.
  const mayBeTorn = 'problem' in content || typeof content.value === 'number';
  const finished = mayBeTorn && lock.hasKernelLock && (await finishWrite(lock, bytes, context));
  return finished ? { bytes: finished, content: parseContent(finished) } : { bytes, content };
}

async function finishWrite(
  lock: FileLock,
  torn: Buffer,
  { fname, warn }: LockContext,
): Promise<Buffer | undefined> {
  const name = journalPath(lock.path);
  let file: Descriptor | undefined;
  try {
    const found = readJournal(name);
    const nowNs = BigInt(Date.now()) * 1_000_000n;
    if (!found || !isTornBy(found, torn, disk.fstat(lock.file).mtimeNs, nowNs)) return undefined;
    lock.check();
    file = disk.open(name, OPEN.toWrite);
    const journal = { ...found, file };
    // If this is interrupted as well, the time counts from now on.
    setMark(journal, found.content, UNDER_WAY);
    await replaceAll(lock.file, found.content, BEING_WRITTEN);
    setMark(journal, found.content, DONE);
    warn(`A write of ${fname} was interrupted; it was finished from ${name}`);
    return found.content;
  } catch (cause) {
    if (cause instanceof SPLockedFileError) throw cause;
    const remedy = isDenied(cause) ? `. Give ${name} the group and the mode of ${fname}` : '';
    throw diskError(cause, `${fname} is torn, and ${name} cannot be used`, `it may still be torn${remedy}`);
  } finally {
    if (file !== undefined) closeSafely(file);
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
  const { bytes: old, content } = await readFinished(lock, context);
  if (old.equals(bytes)) return;
  lock.check();
  // Beside a torn file, the journal may hold the only copy of an entry, and stays.
  const journal = 'value' in content ? await openJournal(lock.path, lock.file, context) : undefined;
  let isBegun = false;
  try {
    if (journal !== undefined) await fillJournal(journal, lock, old, bytes);
    isBegun = true;
    await replaceAll(lock.file, bytes, journal === undefined ? undefined : BEING_WRITTEN);
    if (journal !== undefined) setMark(journal, bytes, DONE);
  } catch (cause) {
    const isFromCheck = cause instanceof SPLockedFileError;
    const isBack = !isBegun || (await putBack(lock.file, old, fname));
    // Without the kernel lock, somebody else may be writing the journal by now.
    if (journal !== undefined && (lock.hasKernelLock || !isFromCheck))
      await takeBack(journal, bytes, isBack && old);
    if (isFromCheck) throw cause;
    const torn = `it may be torn; "storpool-attachdb repair --file ${fname}" mends it`;
    throw diskError(cause, `Cannot write ${fname}`, isBack ? OLD_CONTENT : torn);
  } finally {
    if (journal !== undefined) closeSafely(journal.file);
  }
}

const OLD_CONTENT = 'it still has the old content';

/** Puts what is to be written into the journal. */
async function fillJournal(journal: Journal, lock: FileLock, old: Buffer, bytes: Buffer): Promise<void> {
  const { content, isUnderWay, markedNs } = journal;
  const isFlushed = !isUnderWay && content.equals(old) && disk.fstat(lock.file).mtimeNs <= markedNs;
  // Another program wrote the file, and a power cut must not take both the file and the journal.
  if (!isFlushed) await disk.datasync(lock.file);
  await fill(journal, bytes, UNDER_WAY);
  // The flush may have taken long.
  lock.check();
  setMark(journal, bytes, UNDER_WAY);
}

async function putBack(file: Descriptor, old: Buffer, fname: string): Promise<boolean> {
  try {
    // A disk that has become read-only has not touched it.
    if (!readContent(file, fname).equals(old)) await replaceAll(file, old);
    return true;
  } catch (error) {
    debug('the old content cannot be put back: %s', (error as Error).message);
    return false;
  }
}

/** What was refused must not come back from the journal, which gets the old content if the file has that. */
async function takeBack(journal: Journal, refused: Buffer, old: Buffer | false): Promise<void> {
  try {
    setMark(journal, refused, DONE);
    if (old) await fill(journal, old, DONE);
  } catch (error) {
    debug('the journal cannot be taken back: %s', (error as Error).message);
  }
}
