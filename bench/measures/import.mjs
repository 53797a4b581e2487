import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { median, timed } from '../../test/lib/stats.mjs';
import { takeTurns } from '../sides.mjs';

const ENTRY = JSON.stringify(import.meta.resolve('storpool-spopenstack'));

/** What a program pays for importing the package, and for its first lock, which loads the rest. */
export async function imports({ quick, workspace }) {
  const programs = {
    'empty program': '',
    'imports it': `import ${ENTRY};`,
    'imports it and locks': `import { SPLockedJSONDB } from ${ENTRY}; await new SPLockedJSONDB(${JSON.stringify(workspace.cache())}).get();`,
  };
  for (const [name, program] of Object.entries(programs)) {
    programs[name] = join(workspace.dir, `${name.replaceAll(' ', '-')}.mjs`);
    writeFileSync(programs[name], program);
  }
  // The first round warms up.
  const values = await takeTurns('import', programs, quick ? 11 : 31, async (file, round) => {
    const ms = await timed(() => spawnSync(process.execPath, [file], { stdio: 'inherit' }));
    return round === 0 ? [] : [ms];
  });
  const whole = values((ms) => ms);
  const medians = Object.entries(whole).map(([name, ms]) => [name, median(ms)]);
  const added = medians.map(([name, ms]) => [name, [ms - medians[0][1]]]);
  return {
    title: 'The cost of importing the package',
    note: 'From the start of a process to its end.',
    rows: [
      { what: 'start to end, ms', values: whole },
      { what: 'added by the import, ms', values: Object.fromEntries(added.slice(1)) },
    ],
  };
}
