import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Some tests start processes of their own, which run the package as it is built. `npm run typecheck` checks the types. */
export function setup(): void {
  const tsc = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));
  // In dist, so that whoever removes the one removes the other.
  const incremental = ['--incremental', '--tsBuildInfoFile', 'dist/.tsbuildinfo'];
  const args = [tsc, '-p', 'tsconfig.build.json', '--noCheck', ...incremental];
  execFileSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
}
