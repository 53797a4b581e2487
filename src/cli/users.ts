import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { attempt, codeOf } from './host.js';

/** Who has a device open on this host, as far as this user can tell. `open: null`: not everything can be looked at. */
export function usersOf(device: string): { open: boolean | null; by: string[] } {
  const stats = statSync(device);
  const isBlock = stats.isBlockDevice();
  const by: string[] = [];
  // Everybody has /dev/null open, which stands for the devices of a fake.
  if (stats.isCharacterDevice()) return { open: null, by };
  const hasOpen = (pid: string) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const other = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
      if (isBlock) return other?.isBlockDevice() && other.rdev === stats.rdev;
      return other?.ino === stats.ino && other.dev === stats.dev;
    });
  let isHidden = false;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/u.test(name))) {
    const found = attempt(() => hasOpen(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    if (typeof found === 'string') by.push(`process ${pid} (${found})`);
    // Otherwise it has ended while we looked.
    isHidden ||= ['EACCES', 'EPERM'].includes(codeOf(found) ?? '');
  }
  // Mounts, LVM and the like have a device for themselves; opening it so fails while they do.
  const flags = constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK;
  if (by.length === 0 && isBlock && codeOf(attempt(() => closeSync(openSync(device, flags)))) === 'EBUSY')
    by.push('the kernel: it is mounted, or part of another device');
  return { open: by.length > 0 || (isHidden ? null : false), by };
}
