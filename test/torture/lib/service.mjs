// A Node.js service that changes the file: `service.mjs FILE COMMAND ARGUMENTS`. See service.py for the commands.
import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../../lib/stats.mjs';
import { change, request } from './changes.mjs';
import { QuietDB } from './file.mjs';

const [file, command, ...args] = process.argv.slice(2);
const db = new QuietDB(file, { kernelLock: 'required' });
/** Past the buffers of Node.js: what is acknowledged is in the pipe before the next change begins. */
const say = (fact) => writeSync(1, `${JSON.stringify(fact)}\n`);

const commands = {
  async add(count, name, pause) {
    const waits = [];
    for (let nr = 0; nr < count; nr++) {
      const start = now();
      await db.withLock(async () => {
        waits.push(now() - start);
        await db.add(`${name}-${nr}`, request(`${name}-${nr}`, nr));
      });
      await sleep(Math.random() * 2 * pause);
    }
    say({ waits });
  },

  async busy(seconds, name) {
    const end = now() + seconds * 1000;
    let made = 0;
    for (; now() < end; made++) await db.add(`${name}-${made % 50}`, request(name, made));
    say({ made });
  },

  async work(name, pause) {
    let n = Number(await new Promise((resolve) => process.stdin.once('data', resolve)));
    process.stdin.destroy();
    for (;;) {
      const { key, value } = change(name, n);
      try {
        await (value === undefined ? db.remove(key) : db.add(key, value));
        say({ done: n++ });
        if (pause > 0) await sleep(Math.random() * 2 * pause);
      } catch ({ code, message }) {
        say({ failed: { code, message } });
        await sleep(100);
      }
    }
  },
};

try {
  await commands[command](...args);
} catch ({ name, code, message }) {
  say({ failed: { name, code, message } });
}
