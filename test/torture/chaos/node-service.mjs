// Changes and reads the file until it is killed; a line for each thing that is acknowledged: `node-service.mjs FILE NAME`.
import { setTimeout as sleep } from 'node:timers/promises';
import { SPLockedJSONDB } from 'storpool-spopenstack';
import { now } from '../../lib/stats.mjs';

const [file, name] = process.argv.slice(2);
class QuietDB extends SPLockedJSONDB {
  warn() {}
}
const db = new QuietDB(file, { kernelLock: 'required' });
const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);

for (let nr = 0; ; nr++) {
  const key = `${name}-${nr}`;
  const start = now();
  try {
    if (nr % 3 === 2) {
      await db.get();
      say({ start });
    } else {
      await db.add(key, { volume: `os--${key}`, rights: 2 });
      say({ start, added: key });
      if (nr % 6 === 1) {
        const begin = now();
        say({ removing: key });
        await db.remove(key);
        say({ start: begin, removed: key });
      }
    }
  } catch (error) {
    say({ failed: `${error.code} ${error.message}` });
  }
  await sleep(Math.random() * 30);
}
