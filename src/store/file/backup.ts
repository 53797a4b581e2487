import { constants } from 'node:buffer';
import { constants as fs } from 'node:fs';
import { dirname } from 'node:path';
import { createLike } from './create-like.js';
import { codeOf, disk, ifThere, isDenied, type OpenFile, READ, READ_WRITE, replacing } from './disk.js';
import { readAll, writeAll } from './in-place.js';

/** The complete copy beside a file, from which a torn file is restored. */
export const backupPath = (path: string) => `${path}.backup`;

/**
 * The last byte of the copy, white space after its JSON. `pending`: the file is still untouched; `writing`: the content
 * is being written into the file; `complete`: the file has it, on the disk.
 */
const MARKS = { pending: 0x20, writing: 0x09, complete: 0x0a };
type Mark = keyof typeof MARKS;

/** What the copy holds. */
export interface Backup {
  content: Buffer;
  mark: Mark;
  /** Whether every user who can write the file can write the copy, too. Otherwise, it may be old. */
  isTrusted: boolean;
  /** Nanoseconds since 1970. */
  mtimeNs: bigint;
  /** How much later the file was written, in nanoseconds. */
  fileIsYounger: bigint;
}

/** @returns `undefined` if there is none */
export function readBackup(path: string, file: OpenFile): Backup | undefined {
  const copy = ifThere(() => disk.open(backupPath(path), READ));
  if (copy === undefined) return undefined;
  try {
    const stats = copy.stat();
    if (!isContent(stats)) return undefined;
    const bytes = readAll(copy);
    const fileStats = file.stat();
    const mark = (Object.keys(MARKS) as Mark[]).find((name) => MARKS[name] === bytes.at(-1));
    return {
      content: mark ? bytes.subarray(0, -1) : bytes,
      // Earlier versions wrote no mark.
      mark: mark ?? 'complete',
      isTrusted: isWritableForTheSame(stats, fileStats),
      mtimeNs: stats.mtimeNs,
      fileIsYounger: fileStats.mtimeNs - stats.mtimeNs,
    };
  } finally {
    copy.close();
  }
}

type Stats = ReturnType<OpenFile['stat']>;

/** Something else may be in the place of the copy: a pipe, or an endless file. */
const isContent = (stats: Stats) => stats.isFile() && stats.size <= constants.MAX_STRING_LENGTH;

function isWritableForTheSame(copy: Stats, file: Stats): boolean {
  const may = (stats: Stats, bit: bigint) => (stats.mode & bit) !== 0n;
  if (may(copy, 0o002n)) return true;
  const hasGroup = may(copy, 0o020n) && copy.gid === file.gid;
  const hasOwner = copy.uid === file.uid || file.uid === 0n || hasGroup;
  return hasOwner && !may(file, 0o002n) && (hasGroup || !may(file, 0o020n));
}

/**
 * Opens the copy for writing in place, or makes one with the owner, group and mode of the file, as far as this user may
 * set them. A copy that this user cannot write is removed, because it would become old.
 */
export async function openBackup(path: string, file: OpenFile): Promise<OpenFile> {
  const name = backupPath(path);
  try {
    const copy = disk.open(name, READ_WRITE);
    if (isContent(copy.stat())) return copy;
    copy.close();
    disk.unlink(name);
  } catch (error) {
    if (codeOf(error) === 'ELOOP' || isDenied(error)) ifThere(() => disk.unlink(name));
    else if (codeOf(error) !== 'ENOENT') throw error;
  }
  const copy = createLike(file, name);
  try {
    await flushDirectory(dirname(path));
    return copy;
  } catch (error) {
    copy.close();
    throw error;
  }
}

/** Puts new content into an open copy, and on the disk. It may be torn meanwhile, so the file must be whole. */
export async function fillBackup(copy: OpenFile, content: Buffer, mark: Mark): Promise<void> {
  const length = content.length + 1;
  // Written over the old content, because a kill after truncating would leave nothing. The rest is white space.
  const bytes = Buffer.alloc(Math.max(length, Number(copy.stat().size)), MARKS[mark]);
  content.copy(bytes);
  writeAll(copy, bytes);
  copy.truncate(length);
  await copy.datasync();
}

/** Says how far the write has come. It is not flushed: if it is lost, a restore is only more careful. */
export const setMark = (copy: OpenFile, content: Buffer, mark: Mark) =>
  writeAll(copy, Buffer.of(MARKS[mark]), content.length);

/** Whether an open copy still holds this content, and the file never got it. */
export function isUnfinished(copy: OpenFile, content: Buffer): boolean {
  const bytes = readAll(copy);
  return bytes.subarray(0, -1).equals(content) && bytes.at(-1) !== MARKS.complete;
}

/** Replaces the copy while the file is torn, so that a complete copy exists at every moment. */
export async function replaceBackup(
  path: string,
  file: OpenFile,
  content: Buffer,
  mark: Mark,
): Promise<void> {
  const name = `${backupPath(path)}.new`;
  const copy = replacing(name, () => createLike(file, name));
  try {
    if (!isWritableForTheSame(copy.stat(), file.stat())) throw new Error('nobody would trust a new copy');
    await fillBackup(copy, content, mark);
    disk.rename(name, backupPath(path));
    await flushDirectory(dirname(path));
    // Once more, because its time counts.
    setMark(copy, content, mark);
  } catch (error) {
    ifThere(() => disk.unlink(name));
    throw error;
  } finally {
    copy.close();
  }
}

/** Puts new names on the disk. */
export async function flushDirectory(dir: string): Promise<void> {
  const directory = disk.open(dir, fs.O_RDONLY | fs.O_DIRECTORY);
  try {
    await directory.sync();
  } catch (error) {
    // Some file systems cannot flush a directory, and need not.
    if (codeOf(error) !== 'EINVAL') throw error;
  } finally {
    directory.close();
  }
}
