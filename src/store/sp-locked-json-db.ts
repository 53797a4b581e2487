import { corrupt } from './content.js';
import { SPLockedFile } from './sp-locked-file.js';

/**
 * Values by their keys, in a JSON file that several processes share.
 *
 * Any text is a key, `__proto__` too.
 *
 * Reference: `storpool.spopenstack.splocked.SPLockedJSONDB`.
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
  async get(): Promise<Record<string, V>> {
    const data = await this.jsload();
    if (typeof data !== 'object' || data === null || Array.isArray(data)) {
      throw corrupt(this.fname, `holds ${Array.isArray(data) ? 'a list' : String(data)}, not a JSON object`);
    }
    return data as Record<string, V>;
  }

  /**
   * Sets the value of a key.
   *
   * Reference: `add(key, value)`.
   *
   * @throws TypeError for a value that JSON cannot hold; nothing is written then.
   */
  async add(key: string, value: V): Promise<void> {
    if (JSON.stringify(value) === undefined)
      throw new TypeError(`The value of ${key} cannot be kept as JSON`);
    await this.withLock(async () => {
      const data = await this.get();
      // Not an assignment, which for __proto__ would set something else.
      Object.defineProperty(data, key, { value, enumerable: true, configurable: true, writable: true });
      await this.jsdump(data);
    });
  }

  /**
   * Removes a key; one that is not there is no error.
   *
   * Reference: `remove(key)`.
   */
  remove(key: string): Promise<void> {
    return this.removeKeys([key]);
  }

  /**
   * Removes all of the keys in one write, and writes nothing when none of them is there.
   *
   * Reference: `remove_keys(keys)`.
   */
  async removeKeys(keys: Iterable<string>): Promise<void> {
    await this.withLock(async () => {
      const data = await this.get();
      const present = [...keys].filter((key) => Object.hasOwn(data, key));
      if (present.length === 0) return;
      for (const key of present) delete data[key];
      await this.jsdump(data);
    });
  }
}
