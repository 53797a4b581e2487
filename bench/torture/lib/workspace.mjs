import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made = new Set();
process.on('exit', () => {
  for (const dir of made) rmSync(dir, { recursive: true, force: true });
});

/** A directory that is gone when the program has ended, however it ends. Other users may enter it. */
export function makeWorkspace() {
  const dir = mkdtempSync(join(tmpdir(), 'torture-'));
  made.add(dir);
  chmodSync(dir, 0o755);
  return dir;
}
