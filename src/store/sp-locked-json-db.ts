import { checkDepth, copyOf, corrupt, toJson } from './file/content.js';
import type { FileLock } from './file-lock.js';
import { SPLockedFile, type WithLockOptions } from './sp-locked-file.js';

/** @returns whether it made a difference */
type Change<V> = (data: Map<string, V>) => boolean;

/**
 * Values by key, in a JSON file that several processes share.
 *
 * Any string can be a key, even `__proto__`.
 *
 * Each change writes the whole file, with the entries of others as `JSON.parse()` reads them: integers beyond 2^53 lose
 * digits, a number beyond the range of a double becomes `null`, the last of two equal keys stays, and keys that look like
 * integers (`"10"`) come first, in numeric order. The requests of the services contain none of these.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedJSONDB`.
 *
 * Every call takes a `signal` and a `timeout` for the wait for the lock.
 *
 * @typeParam V - the type of the values; it is not checked when other programs write the file
 */
export class SPLockedJSONDB<V = unknown> extends SPLockedFile {
  /**
   * All values, by key: a copy of the content, which the caller may change.
   *
   * Reference: `get()`.
   *
   * @throws {@link SPLockedFileError} `ECORRUPT` when the file does not hold a JSON object.
   */
  async get(options?: WithLockOptions): Promise<Record<string, V>> {
    return this.withLock(async () => copyOf(await this.getShared(), this.fname), options);
  }

  /**
   * Sets the value of a key.
   *
   * Reference: `add(key, value)`.
   *
   * @throws TypeError for a value that JSON cannot hold; then nothing is written.
   */
  async add(key: string, value: V, options?: WithLockOptions): Promise<void> {
    // A copy, because the caller may change the value.
    const text = toJson(value, `the value of ${key}`);
    checkDepth(value, `The value of ${key}`);
    const copy = JSON.parse(text) as V;
    await this.#change((data) => {
      data.set(key, copy);
      return true;
    }, options);
  }

  /**
   * Removes a key. A missing key is not an error.
   *
   * Reference: `remove(key)`.
   */
  remove(key: string, options?: WithLockOptions): Promise<void> {
    return this.removeKeys([key], options);
  }

  /**
   * Removes all these keys in one write, and writes nothing if all of them are missing.
   *
   * Reference: `removeKeys(keys)`.
   */
  async removeKeys(keys: Iterable<string>, options?: WithLockOptions): Promise<void> {
    const gone = new Set(keys);
    if (gone.size === 0) return;
    await this.#change((data) => {
      const { size } = data;
      for (const key of gone) data.delete(key);
      return data.size < size;
    }, options);
  }

  /** All values by key, read anew: the caller may change the map. @internal */
  protected async readEntries(_lock: FileLock): Promise<Map<string, V>> {
    return new Map(Object.entries(await this.getShared()));
  }

  /** Writes all values, if that makes a difference. @internal */
  protected async writeEntries(_lock: FileLock, entries: ReadonlyMap<string, V>): Promise<void> {
    await this.dumpShared(Object.fromEntries(entries));
  }

  #change(change: Change<V>, options?: WithLockOptions): Promise<void> {
    return this.withSharedItems(this.#makeChanges, change, options);
  }

  /** One write for all changes that wait at the same time. */
  readonly #makeChanges = async (changes: Change<V>[]): Promise<void> => {
    const data = new Map(Object.entries(await this.getShared()));
    const made = changes.filter((change) => change(data));
    // fromEntries() and not an assignment, which for __proto__ would set something else.
    if (made.length > 0) await this.dumpShared(Object.fromEntries(data));
  };

  /** Like {@link get}, but the caller must not change it. */
  protected async getShared(): Promise<Readonly<Record<string, V>>> {
    const check = (data: unknown) => {
      if (typeof data === 'object' && data !== null && !Array.isArray(data)) return;
      throw corrupt(this.fname, `holds ${Array.isArray(data) ? 'a list' : String(data)}, not a JSON object`);
    };
    return (await this.loadShared(undefined, check)) as Record<string, V>;
  }
}
