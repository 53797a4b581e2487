import { debugOutput } from '../../observe/debug.js';
import { codeOf, errnoName } from '../file/disk.js';

const debug = debugOutput('storpool:lock');

/**
 * Locks the open file behind a descriptor; the lock lasts until the last descriptor of that open file is closed.
 *
 * @returns false if somebody else has it
 */
type Locker = (fd: number) => Promise<boolean>;

const LOCK_EX = 2;
const LOCK_NB = 4;

/** This machine, or the file system, has no kernel locks. Another attempt would not help. */
export class KernelLockUnavailable extends Error {}

const UNSUPPORTED = new Set(['ENOLCK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);

let locker: Promise<Locker> | undefined;

/**
 * Tries to take an exclusive `flock(2)` on an open file.
 *
 * @returns false if somebody else has it
 * @throws {@link KernelLockUnavailable} if there are no kernel locks
 */
export async function tryKernelLock(fd: number): Promise<boolean> {
  locker ??= throughKoffi().catch((error: unknown) => {
    debug('koffi is not available (%s), the flock program serves instead', (error as Error).message);
    return throughProgram;
  });
  const tryLock = await locker;
  return tryLock(fd);
}

async function throughKoffi(): Promise<Locker> {
  const { default: koffi } = await import('koffi');
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  return async (fd) => {
    if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
    const code = errnoName(koffi.errno());
    if (BUSY.has(code)) return false;
    if (UNSUPPORTED.has(code)) throw new KernelLockUnavailable(`flock() failed with ${code}`);
    throw Object.assign(new Error(`flock() failed with ${code}`), { code });
  };
}

const BUSY = new Set(['EAGAIN', 'EWOULDBLOCK', 'EINTR']);
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
async function throughProgram(fd: number): Promise<boolean> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['-x', '-n', '3'], {
      stdio: ['ignore', 'ignore', 'pipe', fd],
      env: { ...process.env, LC_ALL: 'C' },
    });
    let said = '';
    let failed: Error | undefined;
    child.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    child.on('error', (error) => {
      failed = codeOf(error) === 'ENOENT' ? new KernelLockUnavailable('there is no flock program') : error;
    });
    child.on('close', (status, killedBy) => {
      if (failed !== undefined) reject(failed);
      else if (status === 0 || status === CONFLICT) resolve(status === 0);
      else {
        const why = killedBy ? `was killed by ${killedBy}` : `exited with ${status} (${said.trim()})`;
        const isRefused = status === REFUSED || said.includes('No locks available');
        reject(
          isRefused
            ? new KernelLockUnavailable(`the flock program ${why}`)
            : Object.assign(new Error(`the flock program ${why}`), { code: killedBy ? 'EINTR' : 'EIO' }),
        );
      }
    });
  });
}
