import { type Descriptor, disk, isDenied, OPEN } from './disk.js';

/**
 * Makes a file with the owner, group and mode of another, whatever the umask is. Where this user may not give it the
 * owner, it has the group at least.
 *
 * @throws the system's error, also if the others of the group could not use it
 */
export function createLike(file: Descriptor, path: string): Descriptor {
  const made = disk.open(path, OPEN.toCreate, 0o600);
  try {
    const { uid, gid, mode } = disk.fstat(file);
    // Only root may change the owner, and only a member of a group may give a file that group.
    try {
      disk.chown(made, Number(uid), Number(gid));
    } catch (error) {
      if (!isDenied(error)) throw error;
      disk.chown(made, -1, Number(gid));
    }
    disk.chmod(made, Number(mode) & 0o777);
    return made;
  } catch (error) {
    disk.close(made);
    disk.unlink(path);
    throw error;
  }
}
