import { type Descriptor, disk, isDenied, OPEN } from './disk.js';

/**
 * Makes a file with the owner, group and mode of another, as far as this user may set them, whatever the umask is. No
 * other group ever has access.
 */
export function createLike(file: Descriptor, path: string): Descriptor {
  const made = disk.open(path, OPEN.toCreate, 0o600);
  try {
    const { uid, gid, mode } = disk.fstat(file);
    // Only root may change the owner, and only a member of a group may give a file that group.
    const hasGroup = gives(made, Number(uid), Number(gid)) || gives(made, -1, Number(gid));
    disk.chmod(made, Number(mode) & (hasGroup ? 0o777 : 0o707));
    return made;
  } catch (error) {
    disk.close(made);
    throw error;
  }
}

function gives(file: Descriptor, uid: number, gid: number): boolean {
  try {
    disk.chown(file, uid, gid);
    return true;
  } catch (error) {
    if (isDenied(error)) return false;
    throw error;
  }
}
