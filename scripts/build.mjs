// Builds the package: npm run build [-- --js]. dist/ is what is published: an entry is one file, beside the declarations that
// users need. build/ has the same JavaScript module by module, for tests that look inside. With --js, no declarations.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { rolldown } from 'rolldown';

process.chdir(join(import.meta.dirname, '..'));
const isWhole = !process.argv.includes('--js');
// Tests build the JavaScript alone, while others of them may be running.
if (isWhole) for (const directory of ['build', 'dist']) rmSync(directory, { recursive: true, force: true });

const LIBRARY = { index: 'src/index.ts', 'testing/index': 'src/testing/index.ts' };
const sources = readdirSync('src', { recursive: true }).filter((name) => name.endsWith('.ts'));
const modules = sources.map((name) => join('src', name));
await write(modules, { dir: 'build', preserveModules: true, preserveModulesRoot: 'src' });
await write(LIBRARY, { dir: 'dist', chunkFileNames: 'shared.js' });
// The program uses the library by its public API alone, and loads it from there.
await write({ 'cli/main': 'src/cli/main.ts' }, { dir: 'dist' }, [/^\.\.\//u]);
if (isWhole) await writeDeclarations();

/** Neither minified nor renamed, and with the path of each source above its part: for whoever reads a stack trace. */
async function write(input, output, external = []) {
  const bundle = await rolldown({
    input,
    external: [/^[a-z@]/u, ...external],
    makeAbsoluteExternalsRelative: false,
    platform: 'node',
    resolve: { extensionAlias: { '.js': ['.ts'] } },
    tsconfig: false,
  });
  await bundle.write({ format: 'esm', comments: false, ...output });
  await bundle.close();
}

/** Checks all types, and copies to dist/ the declarations that the entries of the library lead to. */
async function writeDeclarations() {
  const { default: ts } = await import('typescript');
  const tsc = 'node_modules/typescript/bin/tsc';
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { stdio: 'inherit' });
  const found = new Set(Object.keys(LIBRARY).map((entry) => `${entry}.d.ts`));
  for (const file of found) {
    mkdirSync(dirname(join('dist', file)), { recursive: true });
    copyFileSync(join('build', file), join('dist', file));
    const { importedFiles } = ts.preProcessFile(readFileSync(join('build', file), 'utf8'));
    for (const { fileName } of importedFiles) {
      if (fileName.startsWith('.')) found.add(join(dirname(file), fileName.replace(/\.js$/u, '.d.ts')));
    }
  }
}
