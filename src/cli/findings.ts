import { execFileSync } from 'node:child_process';
import { accessSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { attempt, codeOf } from './host.js';

/** One thing that a check has found, good or bad. */
export interface Finding {
  state: 'ok' | 'fault' | 'skipped';
  message: string;
  details: string[];
  remedy: string | null;
  /** What can be done about it without harm. */
  fix: { what: string; apply(): Promise<void> } | null;
}

const plain = { details: [], remedy: null, fix: null };
export const ok = (message: string, details: string[] = []): Finding => {
  return { ...plain, state: 'ok', message, details };
};
export const skipped = (why: string): Finding => {
  return { ...plain, state: 'skipped', message: `not checked: ${why}` };
};
export const fault = (message: string, remedy: string, more: Partial<Finding> = {}): Finding => {
  return { ...plain, state: 'fault', message, remedy, ...more };
};

export const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

const MOST = 10;

/** A list that nobody has to scroll through. */
export const listed = (names: readonly string[]) =>
  names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : '');

export async function userName(): Promise<string> {
  const user = await attempt(() => userInfo().username);
  // In a container an ID may have no name.
  return user instanceof Error ? `user ${process.getuid?.()}` : user;
}

/** What a file or directory is, and what keeps the services of its group from using it. */
export async function examineFile(path: string) {
  const stats = statSync(path);
  // The program knows names that come from elsewhere than /etc, too.
  const names = execFileSync('stat', ['-L', '-c', '%U:%G', '--', path], { encoding: 'utf8' }).trim();
  const owner = names.replace(/^UNKNOWN:/u, `${stats.uid}:`).replace(/:UNKNOWN$/u, `:${stats.gid}`);
  const group = owner.replace(/.*:/u, '');
  const inWords = `${path} is ${owner} ${(stats.mode & 0o7777).toString(8).padStart(4, '0')}`;
  const faults: Finding[] = [];
  const add = (problem: string, remedy: string) => faults.push(fault(`${inWords}: ${problem}`, remedy));
  if (names.endsWith(':UNKNOWN')) {
    const create = `Create the group (groupadd -g ${group} spopenstack)`;
    add(`this host has no group ${group}`, `${create}, or give the file to the group of the services`);
  }
  const [bits, letters] = stats.isDirectory() ? [0o7, 'rwx'] : [0o6, 'rw'];
  const denied = codeOf(await attempt(() => accessSync(path, bits)));
  if ((stats.mode & (bits << 3)) !== bits << 3) {
    add('its group may not write it', `chmod g+${letters} ${path}`);
  } else if (denied !== undefined) {
    const remedy = process.getgroups?.().includes(stats.gid)
      ? 'Is the file system mounted read-only, or is there an access list (getfacl)?'
      : `usermod -aG ${group} ${await userName()}, and start the service again; or chgrp the file`;
    add(`${await userName()} may not read and write it (${denied})`, remedy);
  }
  if (stats.mode & 0o002) add('everybody may write it', `chmod o-w ${path}`);
  const { gid, mtimeMs } = stats;
  const kind = stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : 'other';
  return { path, kind, gid, group, mtimeMs, inWords, faults, isUsable: denied === undefined };
}

export type FileFacts = Awaited<ReturnType<typeof examineFile>>;
