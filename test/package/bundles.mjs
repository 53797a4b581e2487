// Bundles a program that uses the package, as ESM and as CommonJS, and runs it where there is no node_modules.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';

const FORMATS = {
  // Dependencies that are CommonJS call require(), which ESM does not have.
  esm: {
    outfile: 'bundle.mjs',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  },
  cjs: { outfile: 'bundle.cjs' },
};

const folder = mkdtempSync(join(tmpdir(), 'storpool-bundle-'));
try {
  for (const [format, { outfile, ...options }] of Object.entries(FORMATS)) {
    const bundle = join(folder, outfile);
    await build({
      entryPoints: ['commonjs.cjs'],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format,
      outfile: bundle,
      // It has a native part, which no bundler can take in. Without it the flock program serves.
      external: ['koffi'],
      logOverride: { 'require-resolve-not-external': 'silent' },
      ...options,
    });
    console.log(`esbuild, ${format}`);
    execFileSync(process.execPath, [bundle], { cwd: folder, stdio: 'inherit' });
  }
} finally {
  rmSync(folder, { recursive: true });
}
