import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Some tests start processes of their own, which run the package as it is built: its JavaScript alone, and only if the
 * sources have changed. `npm run typecheck` checks the types.
 */
export function setup(): void {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  // The directories count too: a source that was removed changes them.
  const changed = ['scripts/build.mjs', 'src', ...sources.map((name) => join('src', name))].map(changedAt);
  // Of all that is built, this is written last.
  if (Math.max(...changed) < changedAt('dist/cli/main.js')) return;
  execFileSync(process.execPath, ['scripts/build.mjs', '--js'], { cwd: root, stdio: 'inherit' });
}

const changedAt = (path: string) => statSync(join(root, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
