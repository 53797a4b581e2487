// The counterpart of reference_model.py on the library itself; the commands are described there.
import { setTimeout as sleep } from 'node:timers/promises';
import { AttachDB } from '../../dist/index.js';
import { act } from '../../test/lib/act.mjs';
import { now, timed } from '../../test/lib/stats.mjs';
import { cacheEntry, OUR_CLIENT } from './inventory.mjs';

const [fname, port, deviceDir, lock] = process.argv.slice(2);
const db = new AttachDB({
  log: { warn: (message) => console.error(message) },
  fname,
  deviceDir,
  lock: JSON.parse(lock ?? '{}'),
  overrideConfig: {
    SP_OURID: String(OUR_CLIENT),
    SP_AUTH_TOKEN: '1234567890',
    SP_API_HTTP_HOST: '127.0.0.1',
    SP_API_HTTP_PORT: port,
  },
});

let hold;

const commands = {
  async cycle({ volume }) {
    const steps = {
      add: await timed(() => db.add(volume, cacheEntry(volume))),
      attach: await timed(() => db.sync(volume)),
      detach: await timed(() => db.sync(volume, volume)),
      remove: await timed(() => db.remove(volume)),
    };
    return { ms: Object.values(steps).reduce((sum, ms) => sum + ms), steps };
  },
  async attach({ volume }) {
    const ms = await timed(async () => {
      await db.add(volume, cacheEntry(volume));
      await db.sync(volume);
    });
    return { ms, ended: now() };
  },
  /** Side by side in this one process. */
  async attachAll({ volumes }) {
    return Promise.all(
      volumes.map((volume) => commands.attach({ volume }).catch(({ message }) => ({ error: message }))),
    );
  },
  async detach({ volume }) {
    const ms = await timed(async () => {
      await db.sync(volume, volume);
      await db.remove(volume);
    });
    return { ms };
  },
  async sync({ request }) {
    return { ms: await timed(() => db.sync(request)), ended: now() };
  },
  async add({ times }) {
    const ms = [];
    for (let nr = 0; nr < times; nr++) {
      const value = { ...cacheEntry('os--volume-added'), time: process.hrtime.bigint().toString(), nr };
      ms.push(await timed(() => db.add('added', value)));
    }
    return { ms };
  },
  /** Takes the lock and keeps it. */
  hold() {
    return new Promise((resolve, reject) => {
      const released = db.withLock(async () => {
        await new Promise((release) => {
          hold = { release, released };
          resolve({ at: now() });
        });
        return now();
      });
      released.catch(reject);
    });
  },
  async release({ after }) {
    await sleep(after);
    hold.release();
    return { at: await hold.released };
  },
};

act(commands);
