import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ended, start } from '../../test/lib/children.mjs';
import { progress } from '../../test/lib/progress.mjs';
import { timed } from '../../test/lib/stats.mjs';

const ENTRY = new URL('../../dist/index.js', import.meta.url).href;
const ROUNDS = 30;
const QUICK_ROUNDS = 10;

/** What a program pays for importing the package, and for its first lock, which loads the rest. */
export async function imports({ quick, workspace }) {
  const cache = JSON.stringify(workspace.cache());
  const programs = {
    'empty program': '',
    'imports it': `import ${JSON.stringify(ENTRY)};`,
    'imports it and locks': `import { SPLockedJSONDB } from ${JSON.stringify(ENTRY)}; await new SPLockedJSONDB(${cache}).get();`,
  };
  const files = Object.entries(programs).map(([name, text], index) => {
    const file = join(workspace.dir, `program-${index}.mjs`);
    writeFileSync(file, text);
    return [name, file];
  });
  const values = Object.fromEntries(files.map(([name]) => [name, []]));
  const rounds = quick ? QUICK_ROUNDS : ROUNDS;
  progress(`import: ${rounds} rounds`);
  for (let round = -1; round < rounds; round++) {
    for (const [name, file] of files) {
      const ms = await timed(() => run(file));
      if (round >= 0) values[name].push(ms);
    }
  }
  return {
    title: 'The cost of importing the package',
    columns: Object.keys(programs),
    ratio: ['imports it', 'empty program'],
    rows: [{ what: 'from start to end', unit: 'ms', values }],
  };
}

async function run(file) {
  const child = start(process.execPath, [file], { stdio: 'inherit' });
  await ended(child);
  if (child.exitCode !== 0) throw new Error(`${file} failed; is the package built?`);
}
