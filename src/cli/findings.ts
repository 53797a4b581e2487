import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, lstatSync, readlinkSync, statSync } from 'node:fs';
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

/** The group of the services in the documentation, and in what an operator is told to type. */
const GROUP = 'spopenstack';

/** The command that gives something to the group of the services, which may have to be made first. */
export const giveToGroup = (path: string) => `${makeGroup()}chgrp ${GROUP} ${path}`;

function makeGroup(): string {
  const { status, error } = spawnSync('getent', ['group', GROUP]);
  return error === undefined && status === 2 ? `groupadd --system ${GROUP}; ` : '';
}

/** The commands that make the cache and its directory. */
export const creation = {
  directory: (path: string) => `${makeGroup()}install -d -o root -g ${GROUP} -m 2770 ${path}`,
  file: (path: string) => `echo '{}' >${path}; chmod 0660 ${path}; ${giveToGroup(path)}`,
};

/** A file or directory that the services of one group share. */
export interface Place {
  /** What is wrong with it; or else that it is well. */
  findings: Finding[];
  /** What it is, if this user can work with it. */
  usable?: { path: string; gid: number; group: string; mtimeMs: number };
}

/**
 * @param within - the directory whose group it should have
 */
export async function examinePlace(
  path: string,
  kind: 'file' | 'directory',
  within?: Place['usable'],
): Promise<Place> {
  const create = creation[kind](path);
  const user = await attempt(() => userInfo().username);
  // In a container an ID may have no name.
  const me = user instanceof Error ? `user ${process.getuid?.()}` : user;
  const only = (message: string, remedy: string) => ({ findings: [fault(message, remedy)] });
  const stats = await attempt(() => statSync(path));
  if (codeOf(stats) === 'ENOENT') {
    const isLink = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (!isLink) return only(`${path} does not exist`, create);
    return only(`${path} is a link to ${readlinkSync(path)}, which does not exist`, `rm ${path}; ${create}`);
  }
  if (stats instanceof Error) return only(stats.message, `Let ${me} enter every directory on the way to it`);
  const isKind = kind === 'file' ? stats.isFile() : stats.isDirectory();
  if (!isKind)
    return only(
      `${path} is not a ${kind === 'file' ? 'regular file' : kind}`,
      `Move it away; then ${create}`,
    );

  const { uid, gid, mode, mtimeMs } = stats;
  // The program knows names that come from elsewhere than /etc, too.
  const names = execFileSync('stat', ['-L', '-c', '%U:%G', '--', path], { encoding: 'utf8' }).trim();
  const [owner, group = ''] = names
    .split(':')
    .map((name, at) => (name === 'UNKNOWN' ? `${[uid, gid][at]}` : name));
  const found = `${path} is ${owner}:${group} ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
  const [bits, letters] = kind === 'file' ? [0o6, 'rw'] : [0o7, 'rwx'];
  const denied = codeOf(await attempt(() => accessSync(path, bits)));
  const findings: Finding[] = [];
  const add = (problem: string, remedy: string) => findings.push(fault(`${found}${problem}`, remedy));
  if (names.endsWith(':UNKNOWN')) {
    const give = `or give it to the group of the services: ${giveToGroup(path)}`;
    add(`: this host has no group ${gid}`, `Make the group: groupadd -g ${gid} NAME; ${give}`);
  }
  if ((mode & (bits << 3)) !== bits << 3) {
    const chgrp = gid === 0 ? `; ${giveToGroup(path)}` : '';
    add(': its group may not write it', `chmod g+${letters} ${path}${chgrp}`);
  } else if (denied !== undefined) {
    const remedy = process.getgroups?.().includes(gid)
      ? 'Is the file system mounted read-only, or is there an access list (getfacl)?'
      : `usermod -aG ${group} ${me}, and start the service again; or ${giveToGroup(path)}`;
    add(`: ${me} may not read and write it (${denied})`, remedy);
  }
  if (mode & 0o002) add(': everybody may write it', `chmod o-w ${path}`);
  if (within && within.gid !== gid) {
    add(`, but its directory has the group ${within.group}`, `chgrp ${within.group} ${path}`);
  }
  if (findings.length === 0) findings.push(ok(found));
  return denied === undefined ? { findings, usable: { path, gid, group, mtimeMs } } : { findings };
}
