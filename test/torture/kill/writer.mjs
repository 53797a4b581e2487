// A process to be killed: reads the number of its first change from stdin, then makes one change after the
// other and writes the number of each to stdout once it is done.
import { writeSync } from 'node:fs';
import { SPLockedJSONDB } from 'storpool-spopenstack';
import { change } from '../lib/changes.mjs';

const [file, entries, stale] = process.argv.slice(2);
const db = new SPLockedJSONDB(file, { stale: Number(stale), kernelLock: 'required' });

async function run(first) {
  for (let n = first; ; n++) {
    const { key, value } = change(n, Number(entries));
    if (value === undefined) await db.remove(key);
    else await db.add(key, value);
    // At once and past the buffers of Node.js: what is acknowledged is in the pipe before the next change begins.
    writeSync(1, `${n}\n`);
  }
}

process.stdin.once('data', (text) => run(Number(text)));
// The program that started this one has gone.
process.stdin.once('end', () => process.exit());
