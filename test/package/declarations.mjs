// The package holds the declarations that its two entries need, and no others.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const root = resolve('node_modules/storpool-spopenstack');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.values(manifest.exports).flatMap(({ types }) => (types ? [join(root, types)] : []));
assert.equal(entries.length, 2);

const needed = new Set();
for (const queue = [...entries]; queue.length > 0; ) {
  const file = queue.pop();
  if (needed.has(file)) continue;
  needed.add(file);
  for (const { fileName } of ts.preProcessFile(readFileSync(file, 'utf8')).importedFiles)
    if (fileName.startsWith('.')) queue.push(join(file, '..', fileName.replace(/\.js$/u, '.d.ts')));
}
const packed = readdirSync(join(root, 'dist'), { recursive: true })
  .filter((file) => file.endsWith('.d.ts'))
  .map((file) => join(root, 'dist', file));
assert.deepEqual(packed.sort(), [...needed].sort());
console.log(`${packed.length} declarations, each of them needed`);
