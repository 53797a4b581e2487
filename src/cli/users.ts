import { closeSync, constants, openSync, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { codeOf } from './host.js';

/** Who has a device open. */
export interface Users {
  /** `null`: nobody is seen, but not everything can be looked at. */
  open: boolean | null;
  by: string[];
}

/** Who has a device open on this host, as far as this user can tell. */
export function usersOf(device: string): Users {
  const stats = statSync(device);
  const by: string[] = [];
  // Everybody has /dev/null open, which stands for the devices of a fake.
  if (stats.isCharacterDevice()) return { open: null, by };
  let isHidden = false;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/u.test(name))) {
    try {
      const fds = readdirSync(`/proc/${pid}/fd`);
      if (!fds.some((fd) => isSame(stats, statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false }))))
        continue;
      by.push(`process ${pid} (${readFileSync(`/proc/${pid}/comm`, 'utf8').trim()})`);
    } catch (error) {
      // A process may end while we look.
      isHidden ||= ['EACCES', 'EPERM'].includes(codeOf(error) ?? '');
    }
  }
  if (by.length === 0 && stats.isBlockDevice() && isHeldByKernel(device))
    by.push('the kernel: it is mounted, or part of another device');
  return { open: by.length > 0 || (isHidden ? null : false), by };
}

const isSame = (device: Stats, other: Stats | undefined) =>
  other !== undefined &&
  (device.isBlockDevice()
    ? other.isBlockDevice() && other.rdev === device.rdev
    : other.ino === device.ino && other.dev === device.dev);

/** Mounts, LVM and the like have a device for themselves; opening it so fails while they do. */
function isHeldByKernel(device: string): boolean {
  try {
    closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK));
    return false;
  } catch (error) {
    return codeOf(error) === 'EBUSY';
  }
}
