import { execFile } from 'node:child_process';
import { accessSync, constants, lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

/** What a file or directory is, and what this user may do with it. */
export interface FileFacts {
  path: string;
  kind: 'file' | 'directory' | 'other';
  owner: string;
  /** `undefined` where this host has no name for it. */
  group: string | undefined;
  gid: number;
  /** Permission bits. */
  mode: number;
  mtimeMs: number;
  /** Why this user may not read and write it (and enter it, if it is a directory); `undefined` if all is allowed. */
  denied: string | undefined;
}

/** Something beside the cache that is not always there. */
export interface SideFile {
  path: string;
  size: number;
  mtimeMs: number;
}

export interface User {
  name: string;
  gids: number[];
}

/** @throws the system's error, for example `ENOENT` */
export async function examineFile(path: string): Promise<FileFacts> {
  const stats = statSync(path);
  // The program knows names that come from elsewhere than /etc, too.
  const { stdout } = await promisify(execFile)('stat', ['-L', '-c', '%U:%G', '--', path]);
  const [owner = '', group = ''] = stdout.trim().split(':');
  return {
    path,
    kind: stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : 'other',
    owner: owner === 'UNKNOWN' ? String(stats.uid) : owner,
    group: group === 'UNKNOWN' ? undefined : group,
    gid: stats.gid,
    mode: stats.mode & 0o7777,
    mtimeMs: stats.mtimeMs,
    denied: deniedTo(path, stats),
  };
}

function deniedTo(path: string, stats: Stats): string | undefined {
  const enter = stats.isDirectory() ? constants.X_OK : 0;
  try {
    accessSync(path, constants.R_OK | constants.W_OK | enter);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

export function thisUser(): User {
  const gids = process.getgroups?.() ?? [];
  try {
    return { name: userInfo().username, gids };
  } catch {
    // In a container an ID may have no name.
    return { name: `user ${process.getuid?.()}`, gids };
  }
}

/** What is beside a file and has its name with something behind it. */
export function sideFiles(fname: string): SideFile[] {
  const [dir, name] = [dirname(fname), basename(fname)];
  return readdirSync(dir)
    .filter((one) => one.startsWith(`${name}.`))
    .sort()
    .flatMap((one) => {
      const path = join(dir, one);
      const stats = lstatSync(path, { throwIfNoEntry: false });
      // A lock may be given back while we look.
      return stats === undefined ? [] : [{ path, size: stats.size, mtimeMs: stats.mtimeMs }];
    });
}
