import { debugOutput } from '../../observe/debug.js';
import { CREATE, disk, isDenied, type OpenFile } from './disk.js';
import { writeAll } from './in-place.js';

const debug = debugOutput('storpool:lock');

/**
 * Makes a file with the owner, group and mode of another, as far as this user may set them, whatever the umask is. No
 * other group ever has access.
 */
export function createLike(file: OpenFile, path: string): OpenFile {
  const made = disk.open(path, CREATE, 0o600);
  try {
    const { uid, gid, mode } = file.stat();
    const stats = made.stat();
    let hasGroup = stats.gid === gid;
    if (stats.uid !== uid || !hasGroup) {
      // Only root may change the owner, and only a member of a group may give a file that group.
      for (const owner of [Number(uid), -1]) {
        try {
          made.chown(owner, Number(gid));
          hasGroup = true;
          break;
        } catch (error) {
          if (!isDenied(error)) throw error;
          debug('this user may not give %s the owner %d and the group %d', path, owner, gid);
        }
      }
    }
    made.chmod(Number(mode) & (hasGroup ? 0o777 : 0o707));
    return made;
  } catch (error) {
    made.close();
    throw error;
  }
}

/** The same with content, which is not flushed. */
export function writeLike(file: OpenFile, path: string, content: Buffer): void {
  const made = createLike(file, path);
  try {
    writeAll(made, content);
  } finally {
    made.close();
  }
}
