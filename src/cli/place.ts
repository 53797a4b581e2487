import { execFileSync, spawnSync } from 'node:child_process';
import { accessSync, lstatSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { type Finding, fault, ok } from './finding.js';
import { attempt, codeOf } from './host.js';
import { shellWord } from './terminal.js';

/** The group of the services, as the documentation calls it. */
const GROUP = 'spopenstack';

/** The command that makes that group, where this host does not have it. */
const makeGroup = () =>
  spawnSync('getent', ['group', GROUP]).status === 2 ? `groupadd --system ${GROUP}; ` : '';

export const giveToGroup = (path: string) => `${makeGroup()}chgrp ${GROUP} ${shellWord(path)}`;

/**
 * Whether the services of one group can share a directory; or a file, which should have the group of its directory.
 *
 * @param within - the directory of the file
 */
export function examinePlace(path: string, within?: string): { findings: Finding[]; isUsable: boolean } {
  const isFile = within !== undefined;
  const word = shellWord(path);
  const user = attempt(() => userInfo().username);
  // In a container an ID may have no name.
  const me = user instanceof Error ? `user ${process.getuid?.()}` : user;
  const stats = attempt(() => statSync(path));
  if (stats instanceof Error && codeOf(stats) !== 'ENOENT') {
    const remedy = `Let ${me} enter every directory on the way to it`;
    return { findings: [fault(stats.message, remedy)], isUsable: false };
  }
  if (stats instanceof Error || !(isFile ? stats.isFile() : stats.isDirectory())) {
    const isThere = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    const message = `${path} ${isThere ? `is not a ${isFile ? 'regular file' : 'directory'}` : 'does not exist'}`;
    const create = isFile
      ? `echo '{}' >${word}; chmod 0660 ${word}; ${giveToGroup(path)}`
      : `${makeGroup()}install -d -o root -g ${GROUP} -m 2770 ${word}`;
    const command = isThere ? `mv ${word} ${word}-moved; ${create}` : create;
    return { findings: [fault(message, null, command)], isUsable: false };
  }

  const { gid, mode } = stats;
  // The program knows names that come from elsewhere than /etc, too.
  const names = execFileSync('stat', ['-L', '-c', '%U:%G', '--', path], { encoding: 'utf8' }).trim();
  const group = names.split(':')[1];
  const bits = isFile ? 0o6 : 0o7;
  const denied = codeOf(attempt(() => accessSync(path, bits)));
  const findings: Finding[] = [];
  const found = `${path} is ${names} ${(mode & 0o7777).toString(8).padStart(4, '0')}`;
  const add = (problem: string, command: string | null, remedy: string | null = null) =>
    findings.push(fault(found + problem, remedy, command));
  if ((mode & (bits << 3)) !== bits << 3) {
    const chgrp = gid === 0 ? `; ${giveToGroup(path)}` : '';
    add(': its group may not write it', `chmod g+${isFile ? 'rw' : 'rwx'} ${word}${chgrp}`);
  } else if (denied !== undefined) {
    const remedy = `Put ${me} into the group ${group}, and start the service again; if it is in it, see "getfacl" and "mount"`;
    const command = user instanceof Error ? null : `usermod -aG ${group} ${me}`;
    add(`: ${me} may not read and write it (${denied})`, command, remedy);
  }
  if (mode & 0o002) add(': everybody may write it', `chmod o-w ${word}`);
  if (isFile && statSync(within).gid !== gid)
    add(', but its directory has another group', `chgrp --reference=${shellWord(within)} ${word}`);
  return { findings: findings.length > 0 ? findings : [ok(found)], isUsable: denied === undefined };
}
