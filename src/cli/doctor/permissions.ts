import { dirname } from 'node:path';
import type { Facts } from './examine.js';
import type { FileFacts } from './files.js';
import { type Check, type Finding, fault, ok, skipped, unless } from './finding.js';

const octal = (mode: number) => mode.toString(8).padStart(4, '0');
const inWords = ({ path, owner, group, gid, mode }: FileFacts) =>
  `${path} is ${owner}:${group ?? gid} ${octal(mode)}`;
const isMissing = (error: Error) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** What all services of the group must be able to do with it, and nobody else. */
function access(found: FileFacts, { user }: Facts): Finding[] {
  const { path, group, gid, mode, denied, kind } = found;
  const isDirectory = kind === 'directory';
  const groupNeeds = isDirectory ? 0o070 : 0o060;
  const faults: Finding[] = [];
  if (group === undefined) {
    const remedy = `Create the group (groupadd -g ${gid} spopenstack), or give the file to the group of the services`;
    faults.push(fault(`${inWords(found)}: this host has no group ${gid}`, remedy));
  }
  if ((mode & groupNeeds) !== groupNeeds) {
    faults.push(
      fault(`${inWords(found)}: its group may not write it`, `chmod g+rw${isDirectory ? 'x' : ''} ${path}`),
    );
  } else if (denied !== undefined) {
    const inGroup = user.gids.includes(gid);
    const remedy = inGroup
      ? 'Is the file system mounted read-only, or is there an access list (getfacl)?'
      : `usermod -aG ${group ?? gid} ${user.name}, and start the service again; or chgrp the file`;
    faults.push(fault(`${inWords(found)}: ${user.name} may not read and write it (${denied})`, remedy));
  }
  if ((mode & 0o002) !== 0) {
    faults.push(fault(`${inWords(found)}: everybody may write it`, `chmod o-w ${path}`));
  }
  return faults;
}

export const directory: Check = (facts) => {
  const { directory: found, fname } = facts;
  if (found instanceof Error) {
    const dir = dirname(fname);
    const remedy = isMissing(found)
      ? `install -d -o root -g spopenstack -m 2770 ${dir}`
      : `Let ${facts.user.name} enter every directory on the way to it`;
    return [fault(found.message, remedy)];
  }
  return unless(access(found, facts), () => ok(inWords(found)));
};

export const file: Check = (facts) => {
  const { file: found, directory, fname } = facts;
  if (found === undefined || directory instanceof Error) return skipped('its directory is not usable');
  if (found instanceof Error) {
    const remedy = `echo '{}' >${fname}; chmod 0660 ${fname}; chgrp spopenstack ${fname}`;
    return [fault(found.message, isMissing(found) ? remedy : 'Look at what is there')];
  }
  if (found.kind !== 'file') {
    return [fault(`${fname} is no file`, 'Put what is there out of the way, and the cache in its place')];
  }
  const faults = access(found, facts);
  if (found.gid !== directory.gid) {
    const remedy = `chgrp ${directory.group ?? directory.gid} ${fname}`;
    faults.push(
      fault(`${inWords(found)}, but its directory has the group ${directory.group ?? directory.gid}`, remedy),
    );
  }
  return unless(faults, () => ok(inWords(found)));
};
