// The counterpart of reference_model.py on the library itself; the commands are described there.
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { AttachDB } from '../../dist/index.js';
import { cacheEntry, OUR_CLIENT } from './inventory.mjs';
import { now, timed } from './stats.mjs';

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

const answer = (reply) => console.log(JSON.stringify(reply));

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
    return { results: await Promise.all(volumes.map((volume) => attempt('attach', { volume }))) };
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
  async hold({ ms }) {
    const released = await db.withLock(async () => {
      answer({ got: now() });
      await sleep(ms);
      return now();
    });
    return { released };
  },
};

async function attempt(command, argument) {
  try {
    return await commands[command](argument);
  } catch (error) {
    return { error: `${error.code ?? error.name}: ${error.message}` };
  }
}

answer({ ready: true });
for await (const line of createInterface({ input: process.stdin })) {
  const { do: command, ...argument } = JSON.parse(line);
  answer(await attempt(command, argument));
}
