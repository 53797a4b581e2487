// The library, doing what it is told: commands on standard input, see test/lib/actor.mjs. Times are in ms.
import { setTimeout as sleep } from 'node:timers/promises';
import { AttachDB } from 'storpool-spopenstack';
import { act } from '../test/lib/act.mjs';
import { now, timed } from '../test/lib/stats.mjs';
import { cacheEntry, OUR_CLIENT, timedEach } from './inventory.mjs';

const { file: fname, port, deviceDir, ...options } = JSON.parse(process.argv[2]);
const db = new AttachDB({
  // These two are what the measures bring about.
  log: { warn: (message) => /by force|waiting for the API/u.test(message) || console.error(message) },
  fname,
  deviceDir,
  overrideConfig: {
    SP_OURID: String(OUR_CLIENT),
    SP_AUTH_TOKEN: '1234567890',
    SP_API_HTTP_HOST: '127.0.0.1',
    SP_API_HTTP_PORT: String(port),
  },
  ...options,
});

const commands = {
  attach: ({ volume }) => timed(() => db.attach(volume, cacheEntry(volume))),
  detach: ({ volume }) => timed(() => db.detach(volume)),
  /** Side by side in this one process; null for each that fails. */
  all: ({ command, volumes }) =>
    Promise.all(volumes.map((volume) => commands[command]({ volume }).catch(() => null))),
  /** How long so many requests take, one after the other, without a lock: the attachments, and each volume. */
  requests: ({ volumes, lists }) =>
    timed(async () => {
      for (let nr = 0; nr < lists; nr++) await db.api().attachmentsList();
      for (const volume of volumes) {
        const entries = [{ volume, detach: [OUR_CLIENT] }];
        await db
          .api()
          .volumesReassign(entries)
          .catch(({ isOpen }) => isOpen);
      }
    }),
  /** One entry again and again, with another value each time. */
  add: ({ times }) => timedEach(times, (nr) => db.add('os--added', { ...cacheEntry('os--added'), nr })),
  /** One entry every few milliseconds, for a while: how long others keep this process waiting. */
  async addFor({ ms: duration }) {
    const ms = [];
    let failed = 0;
    for (const end = now() + duration; now() < end; await sleep(5)) {
      const added = () => db.add('os--beside', { ...cacheEntry('os--beside'), time: now() });
      // One that had to give up has waited all the same.
      ms.push(await timed(() => added().catch(() => failed++)));
    }
    return { ms, failed };
  },
};

act(commands);
