import { corrupt } from './file/content.js';
import { SPLockedFile, type WithLockOptions } from './sp-locked-file.js';

/**
 * Values by their keys, in a JSON file that several processes share.
 *
 * Any text is a key, `__proto__` too.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedJSONDB`.
 *
 * Every call takes a `signal` and a `timeout` for the wait for the lock.
 *
 * @typeParam V - the values; whoever else writes the file is trusted to keep to it
 */
export class SPLockedJSONDB<V = unknown> extends SPLockedFile {
  /**
   * All values by their keys: a copy of the present content, which the caller may change.
   *
   * Reference: `get()`.
   *
   * @throws {@link SPLockedFileError} `ECORRUPT` when the file does not hold a JSON object.
   */
  async get(options?: WithLockOptions): Promise<Record<string, V>> {
    return this.withLock(async () => structuredClone(await this.getShared()), options);
  }

  /**
   * Sets the value of a key.
   *
   * Reference: `add(key, value)`.
   *
   * @throws TypeError for a value that JSON cannot hold; nothing is written then.
   */
  async add(key: string, value: V, options?: WithLockOptions): Promise<void> {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`JSON cannot hold the value of ${key}`);
    await this.withLock(async () => {
      const data = { ...(await this.getShared()) };
      // Not an assignment, which for __proto__ would set something else.
      Object.defineProperty(data, key, {
        value: JSON.parse(text),
        enumerable: true,
        configurable: true,
        writable: true,
      });
      await this.dumpShared(data);
    }, options);
  }

  /**
   * Removes a key; one that is not there is no error.
   *
   * Reference: `remove(key)`.
   */
  remove(key: string, options?: WithLockOptions): Promise<void> {
    return this.removeKeys([key], options);
  }

  /**
   * Removes all of the keys in one write, and writes nothing when none of them is there.
   *
   * Reference: `removeKeys(keys)`.
   */
  async removeKeys(keys: Iterable<string>, options?: WithLockOptions): Promise<void> {
    const gone = new Set(keys);
    if (gone.size === 0) return;
    await this.withLock(async () => {
      const entries = Object.entries(await this.getShared());
      const left = entries.filter(([key]) => !gone.has(key));
      if (left.length < entries.length) await this.dumpShared(Object.fromEntries(left));
    }, options);
  }

  /** As {@link get}, but not to be changed. */
  protected async getShared(): Promise<Readonly<Record<string, V>>> {
    const data = await this.loadShared();
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw corrupt(this.fname, `holds ${Array.isArray(data) ? 'a list' : String(data)}, not a JSON object`);
    }
    return data as Record<string, V>;
  }
}
