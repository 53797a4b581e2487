// After tsc: leaves in dist what users need of source maps and declarations, so that the package stays small.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';

const dist = resolve(import.meta.dirname, '../dist');
const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name));

// A stack trace needs the line, and one mapping a line gives that in a sixth of the size.
for (const file of files.filter((name) => name.endsWith('.js.map'))) {
  const map = JSON.parse(readFileSync(file, 'utf8'));
  map.mappings = encode(decode(map.mappings).map((line) => line.slice(0, 1)));
  map.names = [];
  writeFileSync(file, JSON.stringify(map));
}

// Declarations that no public one leads to are declarations of what nobody can import.
const wanted = new Set();
const visit = (file) => {
  if (wanted.has(file)) return;
  wanted.add(file);
  for (const [, from] of readFileSync(file, 'utf8').matchAll(
    /(?:from|import\()\s*['"](\.[^'"]+)\.js['"]/gu,
  )) {
    visit(resolve(dirname(file), `${from}.d.ts`));
  }
};
visit(join(dist, 'index.d.ts'));
visit(join(dist, 'testing/index.d.ts'));
for (const file of files.filter((name) => name.endsWith('.d.ts') && !wanted.has(name))) rmSync(file);
