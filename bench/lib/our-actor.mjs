// The counterpart of reference_model.py on the library itself; the commands are described there.
import { setTimeout as sleep } from 'node:timers/promises';
import { AttachDB } from '../../dist/index.js';
import { act } from '../../test/lib/act.mjs';
import { now, timed } from '../../test/lib/stats.mjs';
import { cacheEntry, OUR_CLIENT } from './inventory.mjs';

const [fname, port, deviceDir, lock] = process.argv.slice(2);
/** What the measures bring about. */
const EXPECTED = /by force|waits for the API/u;

const db = new AttachDB({
  log: { warn: (message) => EXPECTED.test(message) || console.error(message) },
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
      attach: await timed(() => db.attach(volume, cacheEntry(volume))),
      detach: await timed(() => db.detach(volume)),
    };
    return { ms: steps.attach + steps.detach, steps };
  },
  async attach({ volume }) {
    const ms = await timed(() => db.attach(volume, cacheEntry(volume)));
    return { ms, ended: now() };
  },
  /** Side by side in this one process. */
  async all({ command, volumes }) {
    return Promise.all(
      volumes.map((volume) => commands[command]({ volume }).catch(({ message }) => ({ error: message }))),
    );
  },
  async detach({ volume }) {
    return { ms: await timed(() => db.detach(volume)) };
  },
  /** What `lists` attempts ask, and what they send for each open volume: nothing but the requests, one after the other. */
  async requests({ volumes, lists }) {
    const api = db.api();
    const ms = await timed(async () => {
      for (let nr = 0; nr < lists; nr++) await api.attachmentsList();
      for (const volume of volumes) {
        await api.volumesReassign([{ volume, detach: [OUR_CLIENT] }]).catch(({ isOpen }) => isOpen);
      }
    });
    return { ms };
  },
  async sync({ request }) {
    return { ms: await timed(() => db.sync(request)), ended: now() };
  },
  async add({ times }) {
    const ms = [];
    for (let nr = 0; nr < times; nr++) {
      const value = {
        ...cacheEntry('os--volume-added'),
        id: 'added',
        time: process.hrtime.bigint().toString(),
        nr,
      };
      ms.push(await timed(() => db.add('added', value)));
    }
    return { ms };
  },
  /** One entry every few milliseconds, for a while: how long the others keep this one waiting. */
  async addFor({ ms: duration }) {
    const ms = [];
    for (const end = now() + duration; now() < end; await sleep(5)) {
      const value = { ...cacheEntry('os--volume-beside'), id: 'beside', time: now() };
      // One that had to give up has waited all the same.
      ms.push(await timed(() => db.add('beside', value).catch(() => undefined)));
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
