import { debugOutput } from '../observe/debug.js';
import { codeOf, type Descriptor, disk, errnoName } from './disk.js';

const debug = debugOutput('storpool:lock');

/**
 * Tries to take an exclusive `flock(2)` on an open file, which keeps it until its last descriptor is closed; `taken`:
 * somebody else has it. Throws {@link KernelLockUnavailable} if there are none.
 */
export type TryKernelLock = (file: Descriptor) => 'ours' | 'taken';

/** This machine, or the file system, has no kernel locks. Another attempt would not help. */
export class KernelLockUnavailable extends Error {}

let loaded: Promise<TryKernelLock> | undefined;

/** How this machine takes a kernel lock: through `koffi`, or else through the `flock` program. */
export function loadKernelLock(): Promise<TryKernelLock> {
  loaded ??= throughKoffi().catch((error: unknown) => {
    debug('koffi is not available (%s), the flock program serves instead', (error as Error).message);
    return throughProgram();
  });
  return loaded;
}

const LOCK_EX = 2;
const LOCK_NB = 4;
const BUSY = ['EAGAIN', 'EWOULDBLOCK', 'EINTR'];
const UNSUPPORTED = ['ENOLCK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL'];

async function throughKoffi(): Promise<TryKernelLock> {
  const { default: koffi } = await import('koffi');
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  return (file) => {
    if (flock(file, LOCK_EX | LOCK_NB) === 0) return 'ours';
    const code = errnoName(koffi.errno());
    if (BUSY.includes(code)) return 'taken';
    const message = `flock() failed with ${code}`;
    throw UNSUPPORTED.includes(code)
      ? new KernelLockUnavailable(message)
      : Object.assign(new Error(message), { code });
  };
}

/** The statuses of the flock program: somebody else has the lock, and flock(2) refuses the file. */
const CONFLICT = 1;
const REFUSED = 65;

/**
 * The `flock` program of util-linux locks the descriptor that it inherits, and exits. The lock belongs to the open file,
 * which we share with it, so it stays.
 *
 * The program could wait for the lock, too. But then the kernel passes the lock from one waiter to the next, and the
 * Python services, which try every 100 ms, never find it free.
 */
async function throughProgram(): Promise<TryKernelLock> {
  const { spawnSync } = await import('node:child_process');
  return (file) => {
    const { error, status, signal, stderr } = spawnSync('flock', ['-x', '-n', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', file],
      env: { ...process.env, LC_ALL: 'C' },
      encoding: 'utf8',
    });
    if (error !== undefined) {
      throw codeOf(error) === 'ENOENT' ? new KernelLockUnavailable('there is no flock program') : error;
    }
    if (status === 0) return 'ours';
    if (status === CONFLICT) return 'taken';
    const why = signal ? `was killed by ${signal}` : `exited with ${status} (${stderr.trim()})`;
    const message = `the flock program ${why}`;
    const isRefused = status === REFUSED || stderr.includes('No locks available');
    if (isRefused) throw new KernelLockUnavailable(message);
    throw Object.assign(new Error(message), { code: signal ? 'EINTR' : 'EIO' });
  };
}

/** The file systems whose `flock(2)` is this kernel's alone: ext4, xfs, btrfs, tmpfs, overlayfs, zfs, f2fs, bcachefs. */
const LOCAL = [0xef53, 0x58465342, 0x9123683e, 0x01021994, 0x794c7630, 0x2fc12fc1, 0xf2f52010, 0xca451a4e];

/** Whether the kernel lock on a file keeps out everybody who can have it. Over a network, it may be each machine's own. */
export const isKernelLockLocal = (path: string): boolean => LOCAL.includes(disk.fileSystemOf(path));
