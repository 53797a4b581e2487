import { warnOnce } from '../../observe/warn-once.js';
import { isDenied, isFull, type OpenFile } from '../file/disk.js';
import type { ResolvedLockOptions } from '../lock-options.js';
import { SPLockedFileError } from '../sp-locked-file-error.js';
import { lockDirectoryOf } from './holder-record.js';
import { NoKernelLock, takeKernelLock } from './kernel-lock.js';
import { type LockDirectory, takeLockDirectory } from './lock-directory.js';

/** Tells an operator. */
export type Warn = (message: string) => void;

/** What a lock is taken with, and told about. */
export interface LockContext {
  /** The path as the user gave it, for messages. */
  fname: string;
  options: ResolvedLockOptions;
  warn: Warn;
}

/** @returns whether there is a kernel lock now */
export async function takeKernel(
  { fname, options, warn }: LockContext,
  handle: OpenFile,
  signal: AbortSignal,
): Promise<boolean> {
  if (options.kernelLock === 'off') return false;
  try {
    await takeKernelLock(handle.fd, signal);
    return true;
  } catch (error) {
    if (!(error instanceof NoKernelLock)) throw error;
    const remedy = 'install the npm package koffi or the flock program of util-linux';
    if (options.kernelLock === 'required') {
      throw new SPLockedFileError(
        'ENOTSUP',
        `Cannot take the kernel lock on ${fname}, which is required: ${error.message}; ${remedy}`,
        { cause: error },
      );
    }
    warnOnce(
      warn,
      `kernel lock ${fname}`,
      `Cannot take the kernel lock on ${fname}: ${error.message}. The lock directory alone does not keep Python services out; ${remedy}`,
    );
    return false;
  }
}

/** The lock directory, or none where it cannot be made but the kernel lock serves. */
export async function takeDirectory(
  { fname, options, warn }: LockContext,
  path: string,
  kernelLock: boolean,
  signal: AbortSignal,
): Promise<LockDirectory | undefined> {
  try {
    return await takeLockDirectory(path, { stale: options.stale, kernelLock }, signal);
  } catch (error) {
    if (!kernelLock || !(isDenied(error) || isFull(error))) throw error;
    const remedy = isFull(error) ? 'make room there' : "let the directory be writable for this user's group";
    warnOnce(
      warn,
      `lock directory ${fname}`,
      `Cannot make ${lockDirectoryOf(path)}: ${(error as Error).message}. The kernel lock alone guards ${fname}, which programs that use only proper-lockfile do not see; ${remedy}`,
    );
    return undefined;
  }
}
