import { copyOf, corrupt, formatContent } from './content.js';
import type { FileLock } from './file-lock.js';
import { SPLockedFile, type WithLockOptions } from './sp-locked-file.js';

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
  get(options?: WithLockOptions): Promise<Record<string, V>> {
    return this.locked(async (lock) => Object.fromEntries(await this.readEntries(lock)), options);
  }

  /**
   * Sets the value of a key.
   *
   * Reference: `add(key, value)`.
   *
   * @throws TypeError for a value that JSON cannot hold; then nothing is written.
   */
  async add(key: string, value: V, options?: WithLockOptions): Promise<void> {
    const copy = copyOf(value, `the value of ${key}`);
    await this.locked(async (lock) => {
      const entries = await this.readEntries(lock);
      await this.writeEntries(lock, entries.set(key, copy));
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
    await this.locked(async (lock) => {
      const entries = await this.readEntries(lock);
      const { size } = entries;
      for (const key of gone) entries.delete(key);
      if (entries.size < size) await this.writeEntries(lock, entries);
    }, options);
  }

  /** The entries as they are now. @internal */
  protected async readEntries(lock: FileLock): Promise<Map<string, V>> {
    const value = await this.load(lock);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return new Map(Object.entries(value));
    }
    const problem = `holds ${Array.isArray(value) ? 'a list' : String(value)}, not a JSON object`;
    throw corrupt(this.fname, problem, 'Write {} into it if nothing is attached to this host');
  }

  /** Replaces all entries in one write, if that makes a difference. @internal */
  protected writeEntries(lock: FileLock, entries: ReadonlyMap<string, V>): Promise<void> {
    return this.dump(lock, formatContent(Object.fromEntries(entries), `the content of ${this.fname}`));
  }
}
