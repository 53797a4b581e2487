import { constants } from 'node:fs';
import { basename } from 'node:path';
import type { DiskCall } from './tampered-disk.js';

/** What a directory looks like: contents by names. */
export type State = ReadonlyMap<string, Buffer>;

/** A change that is made in memory and reaches the disk at some time, or never. */
type Change = { kind: 'truncate'; size: number } | { kind: 'write'; bytes: Buffer; at: number };
type NameChange = { name: string; inode: Inode };

interface Inode {
  onDisk: Buffer;
  pending: Change[];
}

/**
 * A model of a disk behind a cache. What was not flushed may have reached the disk or not, each change by
 * itself and a write also in part, in any order, but for one: the bytes of a file that was truncated to nothing go to new
 * blocks, so they do not reach the disk without that. More than any real file system allows itself.
 */
export class DiskModel {
  readonly #names = new Map<string, Inode>();
  readonly #current = new Map<string, Inode>();
  readonly #open = new Map<string, Inode>();
  #pendingNames: NameChange[] = [];

  constructor(files: Record<string, string>) {
    for (const [name, text] of Object.entries(files)) {
      const inode = { onDisk: Buffer.from(text), pending: [] };
      this.#names.set(name, inode);
      this.#current.set(name, inode);
    }
  }

  apply({ name, path, args }: DiskCall): void {
    const file = basename(path);
    const inode = this.#open.get(file) ?? this.#current.get(file);
    switch (name) {
      case 'open':
        if (Number(args[1]) & constants.O_CREAT) {
          const made: Inode = { onDisk: Buffer.alloc(0), pending: [] };
          this.#link(file, made);
          this.#open.set(file, made);
        }
        break;
      case 'write': {
        const [, bytes, from, at] = args as [number, Buffer, number, number];
        inode?.pending.push({ kind: 'write', bytes: Buffer.from(bytes.subarray(from)), at });
        break;
      }
      case 'truncate':
        inode?.pending.push({ kind: 'truncate', size: Number(args[1]) });
        break;
      case 'datasync':
        if (inode) {
          inode.onDisk = inode.pending.reduce(changed, inode.onDisk);
          inode.pending = [];
        }
        break;
      case 'sync':
        for (const { name, inode } of this.#pendingNames) this.#names.set(name, inode);
        this.#pendingNames = [];
        break;
    }
  }

  /** Every state in which the power could leave the disk now. */
  states(): State[] {
    const states = new Map<string, State>();
    for (const names of subsets(this.#pendingNames)) {
      const there = new Map(this.#names);
      for (const { name, inode } of names) there.set(name, inode);
      let combined: State[] = [new Map()];
      for (const [name, inode] of there) {
        const contents = possibleContents(inode);
        combined = combined.flatMap((state) => contents.map((bytes) => new Map(state).set(name, bytes)));
      }
      for (const state of combined) states.set(JSON.stringify([...state]), state);
    }
    return [...states.values()];
  }

  #link(name: string, inode: Inode): void {
    this.#current.set(name, inode);
    this.#pendingNames.push({ name, inode });
  }
}

function changed(content: Buffer, change: Change): Buffer {
  if (change.kind === 'truncate') return Buffer.from(content.subarray(0, change.size));
  const end = change.at + change.bytes.length;
  const longer = Buffer.concat([content, Buffer.alloc(Math.max(0, end - content.length))]);
  change.bytes.copy(longer, change.at);
  return longer;
}

function possibleContents({ onDisk, pending }: Inode): Buffer[] {
  const lastTruncate = pending.findLastIndex(({ kind }) => kind === 'truncate');
  const possible = subsets(pending).filter(
    (changes) =>
      !changes.some((change) => pending.indexOf(change) > lastTruncate) ||
      lastTruncate < 0 ||
      changes.includes(pending[lastTruncate] as Change),
  );
  return possible.flatMap((changes) =>
    changes.reduce<Buffer[]>(
      (contents, change) =>
        contents.flatMap((content) => torn(change, content).map((part) => changed(content, part))),
      [onDisk],
    ),
  );
}

/** A write may reach the disk as a whole, in its first half, or as a length without the bytes that are new. */
function torn(change: Change, content: Buffer): Change[] {
  if (change.kind === 'truncate') return [change];
  const { bytes, at } = change;
  const half = bytes.subarray(0, Math.floor(bytes.length / 2));
  const before = content.subarray(at, at + bytes.length);
  const longer = Buffer.concat([before, Buffer.alloc(bytes.length - before.length)]);
  return [change, { ...change, bytes: Buffer.from(half) }, { ...change, bytes: longer }];
}

function subsets<T>(items: readonly T[]): T[][] {
  const [first, ...rest] = items;
  if (first === undefined) return [[]];
  const others = subsets(rest);
  return [...others, ...others.map((some) => [first, ...some])];
}
