import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeWorkspace } from './workspace.mjs';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const OURS = ['package.json', 'build', 'dist', 'test/lib', 'test/torture/lib', 'test/cli/outcomes.mjs'];

/**
 * Copies the built package, what it needs to run, and the processes of these programs to a place that every user can
 * read: the checkout may lie below a directory that only its owner may enter, such as /root.
 *
 * @returns the root of the copy
 */
export function readableCopy() {
  const { dir } = makeWorkspace();
  const { packages } = JSON.parse(readFileSync(join(CHECKOUT, 'package-lock.json'), 'utf8'));
  const needed = Object.keys(packages).filter((path) => path !== '' && !packages[path].dev);
  // Of the optional ones there are those for this system alone.
  for (const path of [...OURS, ...needed].filter((path) => existsSync(join(CHECKOUT, path)))) {
    cpSync(join(CHECKOUT, path), join(dir, path), { recursive: true });
  }
  const { status, stderr } = spawnSync('chmod', ['-R', 'a+rX', dir], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`chmod failed: ${stderr}`);
  return dir;
}
