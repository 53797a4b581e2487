// Each entry is one file, a shim loads neither the fake cluster nor the program, and a stack trace names what was called.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { AttachDB } from 'storpool-spopenstack';

const dist = resolve('node_modules/storpool-spopenstack/dist');
const files = readdirSync(dist, { recursive: true }).filter((name) => name.endsWith('.js'));
assert.deepEqual(files.sort(), ['cli/main.js', 'index.js', 'shared.js', 'testing/index.js']);

/** The files of the package that a file loads, lazily or not. */
const loadedBy = (name) => {
  const code = readFileSync(join(dist, name), 'utf8');
  return [...code.matchAll(/(?:from |import\(|import )"(\.[^"]+)"/gu)].map(([, path]) => path);
};
assert.deepEqual(loadedBy('index.js'), ['./shared.js']);
assert.deepEqual(loadedBy('shared.js'), []);
assert.deepEqual(loadedBy('testing/index.js'), ['../shared.js']);
assert.deepEqual(loadedBy('cli/main.js'), ['../index.js', '../testing/index.js']);

async function shim() {
  const db = new AttachDB({ log: console, fname: '/nowhere', overrideConfig: { SP_OURID: '1' } });
  return await db.attach('r', { volume: 'elsewhere', rights: 2 });
}
const { stack } = await shim().catch((error) => error);
for (const name of ['AttachDB.attach', 'shim'])
  assert.match(stack, new RegExp(`at async ${name} |at ${name} `, 'u'));
assert.match(readFileSync(join(dist, 'index.js'), 'utf8'), /^\/\/ src\/attach\/attach-db\.ts$/mu);
console.log(`${files.length} files, and a trace of ${stack.split('\n').length - 1} calls`);
