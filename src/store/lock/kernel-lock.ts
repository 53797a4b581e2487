import { constants } from 'node:os';
import { poll } from '../../async/poll.js';
import { debugOutput } from '../../observe/debug.js';
import { codeOf } from '../file/disk.js';

const debug = debugOutput('storpool:lock');

/** Locks the open file behind a descriptor; the lock lasts until the last descriptor of that opening is closed. */
type Locker = (fd: number, signal: AbortSignal) => Promise<void>;

const LOCK_EX = 2;
const LOCK_NB = 4;

/** This machine, or the file system, has no kernel locks for us: that will not change with another try. */
export class NoKernelLock extends Error {}

const UNSUPPORTED = new Set(['ENOLCK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);

let locker: Promise<Locker> | undefined;

/**
 * Takes an exclusive `flock(2)` on an open file, waiting for whoever has it.
 *
 * @throws {@link NoKernelLock} where that is not possible; the signal's reason when it is aborted
 */
export async function takeKernelLock(fd: number, signal: AbortSignal): Promise<void> {
  locker ??= throughKoffi().catch((error: unknown) => {
    debug('koffi is not to be had (%s), the flock program serves instead', (error as Error).message);
    return throughProgram;
  });
  const lock = await locker;
  await lock(fd, signal);
}

async function throughKoffi(): Promise<Locker> {
  const { default: koffi } = await import('koffi');
  const flock = koffi.load(null).func('int flock(int fd, int operation)');
  return async (fd, signal) => {
    await poll(async () => {
      if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
      const errno = koffi.errno();
      if (errno === constants.errno.EWOULDBLOCK || errno === constants.errno.EINTR) return undefined;
      const code = errnoName(errno);
      if (UNSUPPORTED.has(code)) throw new NoKernelLock(`flock() gives ${code}`);
      throw Object.assign(new Error(`flock() gives ${code}`), { code });
    }, signal);
  };
}

const CONFLICT = 1;

/**
 * The program of util-linux locks the descriptor that it inherits and ends. The lock belongs to the opening
 * of the file, which is ours, and so it stays.
 *
 * It could also wait in the kernel; but then the lock passes from one waiter there straight to the next, and
 * the Python services, which try every 0.1 s, never find it free.
 */
const throughProgram: Locker = async (fd, signal) => {
  const { spawn } = await import('node:child_process');
  await poll(async () => ((await runFlock(spawn, fd)) === CONFLICT ? undefined : true), signal);
};

/** @returns its status: 0, or 1 when somebody else has the lock */
function runFlock(spawn: typeof import('node:child_process').spawn, fd: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'pipe', fd] });
    let said = '';
    let failed: Error | undefined;
    child.stderr?.on('data', (text) => {
      said += text;
    });
    child.on('error', (error) => {
      failed = codeOf(error) === 'ENOENT' ? new NoKernelLock('there is no flock program') : error;
    });
    child.on('close', (status, killedBy) => {
      if (failed !== undefined) reject(failed);
      else if (status === 0 || status === CONFLICT) resolve(status);
      else if (killedBy === null)
        reject(new NoKernelLock(said.trim() || `the flock program ends with ${status}`));
      else reject(Object.assign(new Error(`the flock program was ended by ${killedBy}`), { code: 'EINTR' }));
    });
  });
}

const errnoName = (errno: number) =>
  Object.entries(constants.errno).find(([, number]) => number === errno)?.[0] ?? `error ${errno}`;
