import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system on which flushing costs nothing, where there is one. */
export const MEMORY = '/dev/shm';

const made = new Set();
process.on('exit', () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** A directory that is gone when the program has ended, however it ends. Other users may enter it. */
export function makeWorkspace(parent = tmpdir()) {
  const dir = mkdtempSync(join(parent, 'storpool-workspace-'));
  made.add(dir);
  chmodSync(dir, 0o755);
  let count = 0;
  const directory = (name) => {
    const own = join(dir, `${name}-${count++}`);
    mkdirSync(own);
    return own;
  };
  return {
    dir,
    /** A new attachment cache with that content, in a directory of its own. */
    cache(content = '{}') {
      const file = join(directory('cache'), 'openstack-attach.json');
      writeFileSync(file, content);
      return file;
    },
    /** A new directory for device links. */
    devices: () => directory('devices'),
  };
}
