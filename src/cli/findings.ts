import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, lstatSync, readlinkSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { attempt, codeOf } from './host.js';
import { shellWord } from './terminal.js';

/** One thing that a check has found, good or bad. */
export interface Finding {
  state: 'ok' | 'fault' | 'skipped';
  message: string;
  details: string[];
  /** What to do about it, in words, and what to type. */
  remedy: string | null;
  command: string | null;
  /** What can be done about it without harm. */
  fix: { what: string; apply(): Promise<void> } | null;
}

const finding = (state: Finding['state'], message: string, more: Partial<Finding> = {}): Finding => {
  return { state, message, details: [], remedy: null, command: null, fix: null, ...more };
};
export const ok = (message: string, details: string[] = []) => finding('ok', message, { details });
export const skipped = (why: string) => finding('skipped', `not checked: ${why}`);
export const fault = (message: string, more: Partial<Finding>) => finding('fault', message, more);

/** The group of the services, as the documentation calls it. */
const GROUP = 'spopenstack';

/** The command that gives something to the group of the services, which may have to be made first. */
export const giveToGroup = (path: string) => `${makeGroup()}chgrp ${GROUP} ${shellWord(path)}`;

function makeGroup(): string {
  const { status, error } = spawnSync('getent', ['group', GROUP]);
  return error === undefined && status === 2 ? `groupadd --system ${GROUP}; ` : '';
}

/** A file or directory that the services of one group share. */
export interface Place {
  /** What is wrong with it; or else that it is well. */
  findings: Finding[];
  /** What it is, if this user can work with it. */
  usable?: { path: string; gid: number; group: string; mtimeMs: number };
}

/** @param within - the directory whose group it should have */
export async function examinePlace(
  path: string,
  kind: 'file' | 'directory',
  within?: Place['usable'],
): Promise<Place> {
  const word = shellWord(path);
  const create =
    kind === 'file'
      ? `echo '{}' >${word}; chmod 0660 ${word}; ${giveToGroup(path)}`
      : `${makeGroup()}install -d -o root -g ${GROUP} -m 2770 ${word}`;
  const user = await attempt(() => userInfo().username);
  // In a container an ID may have no name.
  const me = user instanceof Error ? `user ${process.getuid?.()}` : user;
  const only = (message: string, more: Partial<Finding>) => ({ findings: [fault(message, more)] });
  const stats = await attempt(() => statSync(path));
  if (codeOf(stats) === 'ENOENT') {
    const isLink = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (!isLink) return only(`${path} does not exist`, { command: create });
    const message = `${path} is a link to ${readlinkSync(path)}, which does not exist`;
    return only(message, { command: `rm ${word}; ${create}` });
  }
  if (stats instanceof Error)
    return only(stats.message, { remedy: `Let ${me} enter every directory on the way to it` });
  const isKind = kind === 'file' ? stats.isFile() : stats.isDirectory();
  if (!isKind) {
    const message = `${path} is not a ${kind === 'file' ? 'regular file' : kind}`;
    return only(message, { command: `mv ${word} ${word}-moved; ${create}` });
  }

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
  const add = (problem: string, more: Partial<Finding>) => findings.push(fault(`${found}${problem}`, more));
  if (names.endsWith(':UNKNOWN')) {
    const remedy = 'Give it to the group of the services, or make that group with this ID (groupadd -g)';
    add(`: this host has no group ${gid}`, { remedy, command: giveToGroup(path) });
  }
  if ((mode & (bits << 3)) !== bits << 3) {
    const chgrp = gid === 0 ? `; ${giveToGroup(path)}` : '';
    add(': its group may not write it', { command: `chmod g+${letters} ${word}${chgrp}` });
  } else if (denied !== undefined) {
    const isMember = process.getgroups?.().includes(gid);
    const more = isMember
      ? { remedy: 'Is the file system mounted read-only, or is there an access list (getfacl)?' }
      : {
          remedy: `Put ${me} into the group ${group}, and start the service again`,
          command: user instanceof Error ? null : `usermod -aG ${group} ${me}`,
        };
    add(`: ${me} may not read and write it (${denied})`, more);
  }
  if (mode & 0o002) add(': everybody may write it', { command: `chmod o-w ${word}` });
  if (within && within.gid !== gid) {
    add(`, but its directory has the group ${within.group}`, { command: `chgrp ${within.group} ${word}` });
  }
  if (findings.length === 0) findings.push(ok(found));
  return denied === undefined ? { findings, usable: { path, gid, group, mtimeMs } } : { findings };
}
