// A process of contention.mjs: says 'ready', waits for a line on stdin so that all begin at once, makes its
// changes and prints what it met.
import { setTimeout as sleep } from 'node:timers/promises';
import { SPLockedJSONDB } from 'storpool-spopenstack';
import { presentLocker } from '../../lib/locker.mjs';
import { now } from '../../lib/stats.mjs';

const [file, name, changes, pause] = process.argv.slice(2);
const db = new SPLockedJSONDB(file, { kernelLock: 'required' });
const locker = await presentLocker();
const waits = [];
let gaveUp = 0;

async function oneChange(done) {
  const start = now();
  try {
    await db.withLock(async () => {
      waits.push(now() - start);
      await db.add(`${name}-${done}`, { id: done, by: name });
    });
    return true;
  } catch (error) {
    if (error.code !== 'ELOCKED') throw error;
    waits.push(now() - start);
    gaveUp++;
    return false;
  }
}

process.stdin.once('data', async () => {
  process.stdin.destroy();
  for (let done = 0; done < Number(changes); ) {
    if (await oneChange(done)) done++;
    await sleep(Math.random() * 2 * Number(pause));
  }
  console.log(JSON.stringify({ waits, gaveUp, locker }));
});
console.log('ready');
