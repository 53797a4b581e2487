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
  if (isBuilt()) return;
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  const args = [tsc, '-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false'];
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
}

function isBuilt(): boolean {
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' });
  return sources
    .filter((name) => name.endsWith('.ts'))
    .every((name) => changedAt('dist', name.replace(/\.ts$/u, '.js')) > changedAt('src', name));
}

const changedAt = (folder: string, name: string) =>
  statSync(join(root, folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
