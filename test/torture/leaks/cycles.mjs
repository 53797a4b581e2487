// The process that leaks.mjs looks at: takes and releases the lock again and again, in peace and against a
// holder that does not yield, says what it has open before and after, and has to end by itself.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SPLockedJSONDB } from 'storpool-spopenstack';
import { presentLocker } from '../../lib/locker.mjs';

const { file, heldFile, cycles, refused, warmUp } = JSON.parse(process.argv[2]);
const db = new SPLockedJSONDB(file, { kernelLock: 'required' });
const held = new SPLockedJSONDB(heldFile, { kernelLock: 'required', timeout: 15 });
const locker = await presentLocker();
const problems = [];
process.on('warning', ({ message }) => problems.push(`warning: ${message}`));

/** Half of them through one object, half through one of their own, as a service that makes one for each request. */
async function cycle(times) {
  for (let n = 0; n < times; n++) {
    const used = n % 2 === 0 ? db : new SPLockedJSONDB(file, { kernelLock: 'required' });
    await used.add(`key-${n % 7}`, { n });
    await used.remove(`key-${n % 7}`);
    if (n % 500 === 0) process.send({ progress: n });
  }
}

/** Half of the waits end by the timeout, half by a signal that is used again and again as that of a service. */
async function beRefused(times) {
  for (let n = 0; n < times; n++) {
    const aborter = new AbortController();
    const signal = n % 2 === 0 ? stopping.signal : AbortSignal.any([stopping.signal, aborter.signal]);
    if (n % 2 === 1) setTimeout(() => aborter.abort(), 5);
    const error = await held
      .withLock(() => undefined, { signal })
      .then(
        () => new Error('it was let in'),
        (refusal) => refusal,
      );
    if (error.code !== 'ELOCKED' && error.name !== 'AbortError') problems.push(`refused with ${error}`);
    if (n % 50 === 0) process.send({ progress: n });
  }
}
const stopping = new AbortController();

async function look() {
  // What is only just ending, as the descriptors of a flock program that was killed, may do so.
  await sleep(300);
  for (let n = 0; n < 4; n++) {
    globalThis.gc();
    await sleep(10);
  }
  return {
    heap: process.memoryUsage().heapUsed,
    external: process.memoryUsage().external,
    descriptors: readdirSync('/proc/self/fd').length,
    children: readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim(),
    resources: process.getActiveResourcesInfo().filter((name) => ['Timeout', 'ProcessWrap'].includes(name)),
  };
}

await cycle(warmUp);
await beRefused(Math.min(refused, 20));
const before = await look();
await cycle(cycles);
const between = await look();
await beRefused(refused);
const after = await look();
// Cut off, for the channel would keep this process going; nothing else may.
process.send({ locker, before, between, after, problems }, () => process.disconnect());
