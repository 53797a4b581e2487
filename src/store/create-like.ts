import { CREATE, type Descriptor, disk, isDenied } from './disk.js';

/**
 * Makes a file with the owner, group and mode of another, as far as this user may set them, whatever the umask is. No
 * other group ever has access.
 */
export function createLike(file: Descriptor, path: string): Descriptor {
  const made = disk.open(path, CREATE, 0o600);
  try {
    const { uid, gid, mode } = disk.fstat(file);
    const stats = disk.fstat(made);
    // Only root may change the owner, and only a member of a group may give a file that group.
    const hasGroup =
      (stats.uid === uid && stats.gid === gid) ||
      mayGive(made, Number(uid), Number(gid)) ||
      stats.gid === gid ||
      mayGive(made, -1, Number(gid));
    disk.chmod(made, Number(mode) & (hasGroup ? 0o777 : 0o707));
    return made;
  } catch (error) {
    disk.close(made);
    throw error;
  }
}

function mayGive(file: Descriptor, uid: number, gid: number): boolean {
  try {
    disk.chown(file, uid, gid);
    return true;
  } catch (error) {
    if (isDenied(error)) return false;
    throw error;
  }
}
