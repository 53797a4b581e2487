import { dirname } from 'node:path';
import { debugOutput } from '../observe/debug.js';
import { warnOnce } from '../observe/warn-once.js';
import { LARGEST } from './content.js';
import { createLike } from './create-like.js';
import {
  closeSafely,
  codeOf,
  type Descriptor,
  disk,
  isDenied,
  OPEN,
  readAll,
  removeIfThere,
  writeAll,
} from './disk.js';
import type { LockContext } from './lock-options.js';
import { SPLockedFileError } from './sp-locked-file-error.js';

const debug = debugOutput('storpool:lock');

/** The redo journal of a file: the content that a process of this library wrote last, and a mark. */
export const journalPath = (path: string) => `${path}.backup`;

/** The mark is the last byte, white space after the JSON: the file is being written, or has the content. */
export const UNDER_WAY = 0x09;
export const DONE = 0x0a;

/** A journal, and what it held when it was opened. */
export interface Journal {
  file: Descriptor;
  content: Buffer;
  isUnderWay: boolean;
  /** When it was marked. Nanoseconds since 1970. */
  markedNs: bigint;
}

/** Puts content into the journal, and on the disk. The journal may be torn meanwhile. */
export async function fill({ file }: Journal, content: Buffer, mark: number): Promise<void> {
  writeAll(file, Buffer.concat([content, Buffer.of(mark)]));
  disk.truncate(file, content.length + 1);
  await disk.datasync(file);
}

/** Not flushed: a power cut that takes the mark is as if it came a moment sooner. */
export const setMark = ({ file }: Journal, content: Buffer, mark: number) =>
  writeAll(file, Buffer.of(mark), content.length);

/** @returns `undefined` if there is none, or something else in its place: a pipe, a link, an endless file */
function openExisting(name: string, flags: number): Journal | undefined {
  let file: Descriptor;
  try {
    file = disk.open(name, flags);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'EISDIR'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
  let journal: Journal | undefined;
  try {
    const stats = disk.fstat(file);
    // Another name of the file itself would be a link, too.
    if (stats.isFile() && stats.nlink === 1n && stats.size <= LARGEST + 1) {
      const bytes = readAll(file, stats.size);
      const isUnderWay = bytes.at(-1) === UNDER_WAY;
      journal = { file, content: bytes.subarray(0, -1), isUnderWay, markedNs: stats.mtimeNs };
    }
    return journal;
  } finally {
    if (journal === undefined) closeSafely(file);
  }
}

/** What the journal holds; it is closed again. */
export function readJournal(name: string): Journal | undefined {
  const journal = openExisting(name, OPEN.toRead);
  if (journal !== undefined) closeSafely(journal.file);
  return journal;
}

/**
 * @returns `undefined` if there can be no journal; the file is then written without one
 * @throws {@link SPLockedFileError} with the system's code, also if a write is under way in a journal that cannot be
 * changed: the next holder of the lock could finish it over what is written now
 */
export async function openJournal(
  path: string,
  file: Descriptor,
  { fname, warn }: LockContext,
): Promise<Journal | undefined> {
  const name = journalPath(path);
  try {
    return await openOrMake(name, file);
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

async function openOrMake(name: string, file: Descriptor): Promise<Journal> {
  try {
    const journal = openExisting(name, OPEN.toWrite);
    if (journal !== undefined) return journal;
  } catch (error) {
    if (!isDenied(error)) throw error;
    // Another user made it, and this one may not write it. Nothing is lost, because the file is whole.
    await disk.datasync(file);
    removeIfThere(() => disk.unlink(name));
  }
  const made = createLike(file, name);
  try {
    await flushDirectory(dirname(name));
  } catch (error) {
    closeSafely(made);
    throw error;
  }
  return { file: made, content: Buffer.of(), isUnderWay: false, markedNs: 0n };
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
  const mtimeMs = disk.lstat(name)?.mtimeMs;
  if (mtimeMs === undefined) return `There is no ${name}.`;
  const age = Math.round((Date.now() - Number(mtimeMs)) / 1000);
  return `${name} holds what a Node.js process wrote last, ${age} s ago (${new Date(Number(mtimeMs)).toISOString()}).`;
}
