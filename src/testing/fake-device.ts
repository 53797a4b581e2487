import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Makes the device of a volume or snapshot, as {@link FakeStorPool} does for what is attached: a link to `/dev/null`. For
 * tests that give `AttachDB` an api object of their own, without a server.
 *
 * ```ts
 * const remove = fakeDevice(deviceDir, 'os--volume-1');
 * await db.attach('r1', { volume: 'os--volume-1', rights: 2 }); // finds its device at once
 * remove();
 * ```
 *
 * @param dir - the `deviceDir` of the `AttachDB`; it is created if it does not exist
 * @param name - the name of the volume or snapshot; what has that name in the directory is replaced
 * @returns a function that removes the device again; it does nothing when the device is gone
 * @throws the error of Node.js, for example `EACCES`, when the link cannot be made
 */
export function fakeDevice(dir: string, name: string): () => void {
  const path = join(dir, name);
  mkdirSync(dir, { recursive: true });
  rmSync(path, { force: true });
  symlinkSync('/dev/null', path);
  return () => rmSync(path, { force: true });
}
