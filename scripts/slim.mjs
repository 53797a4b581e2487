// After tsc: leaves in dist what users need of it, so that the package stays small.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { decode, encode } from '@jridgewell/sourcemap-codec';
import ts from 'typescript';

const dist = resolve(import.meta.dirname, '../dist');
const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name));
const rewrite = (file, change) => writeFileSync(file, change(readFileSync(file, 'utf8')));

/** tsc indents by four blanks; a tab says the same. What lies inside of a template is text, and stays. */
function indentByTabs(code) {
  const templates = [];
  const visit = (node) => {
    if (ts.isTemplateLiteral(node)) templates.push([node.pos, node.end]);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('code.ts', code, ts.ScriptTarget.Latest));
  const isText = (at) => templates.some(([start, end]) => start < at && at < end);
  return code.replaceAll(/^(?: {4})+/gmu, (blanks, at) =>
    isText(at) ? blanks : '\t'.repeat(blanks.length / 4),
  );
}

/** A stack trace needs the line, of those in which something can happen; that gives it in an eighth of the size. */
function mapLines(text, code) {
  const { version, sources, mappings } = JSON.parse(text);
  const lines = code.split('\n');
  const firstOf = ([, ...source]) => [0, ...source];
  const kept = decode(mappings).map((segments, at) =>
    /\w/u.test(lines[at]) ? segments.slice(0, 1).map(firstOf) : [],
  );
  return JSON.stringify({ version, sources, names: [], mappings: encode(kept) });
}

for (const file of files) {
  if (/\.(?:js|d\.ts)$/u.test(file)) rewrite(file, indentByTabs);
  else if (file.endsWith('.js.map')) {
    rewrite(file, (map) => mapLines(map, readFileSync(file.slice(0, -'.map'.length), 'utf8')));
  }
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

// Nor need there be code of what is declarations alone: whoever imports types imports nothing at run time.
for (const file of files.filter((name) => name.endsWith('.js'))) {
  if (!readFileSync(file, 'utf8').startsWith('export {};')) continue;
  rmSync(file);
  rmSync(`${file}.map`);
}
