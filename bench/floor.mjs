// The bare parts of an attach and a detach: what Node.js takes for them without a library, and without any care.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { request } from 'node:http';
import { promisify } from 'node:util';
import { act } from '../test/lib/act.mjs';
import { timed } from '../test/lib/stats.mjs';
import { cacheEntry, OUR_CLIENT, timedEach } from './inventory.mjs';

const { file, port, deviceDir } = JSON.parse(process.argv[2]);
const flush = promisify(fs.fdatasync);
const koffi = await import('koffi').catch(() => undefined);
const flock = koffi
  ? koffi.default.load(null).func('int flock(int fd, int operation)')
  : (fd) => spawnSync('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'inherit', fd] }).status;

const headers = { Authorization: 'Storpool v1:1234567890' };
const ask = (method, path, body) =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, method, path: `/ctrl/1.0/${path}`, headers, agent: false };
    const asked = request(options, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(parts).toString()).data));
    });
    asked.on('error', reject).end(body);
  });
const reassign = (entry) => ask('POST', 'VolumesReassign', JSON.stringify([{ ...entry, force: false }]));

/** The work under both locks, with the cache as an object. */
async function locked(work) {
  const fd = fs.openSync(file, 'r+');
  if (flock(fd, 6 /* LOCK_EX | LOCK_NB */) !== 0) throw new Error('The lock is taken');
  fs.mkdirSync(`${file}.lock`);
  const cache = JSON.parse(fs.readFileSync(fd, 'utf8'));
  await work(cache, () => write(fd, JSON.stringify(cache)));
  fs.rmdirSync(`${file}.lock`);
  fs.closeSync(fd);
}

/** Two flushes: the journal, and the file. */
async function write(fd, content) {
  const journal = fs.openSync(`${file}.journal`, fs.constants.O_RDWR | fs.constants.O_CREAT);
  fs.writeSync(journal, `${content}\t`, 0);
  await flush(journal);
  fs.ftruncateSync(fd);
  fs.writeSync(fd, content, 0);
  await flush(fd);
  fs.writeSync(journal, '\n', Buffer.byteLength(content));
  fs.closeSync(journal);
}

const attach = (volume) =>
  locked(async (cache, save) => {
    await Promise.all([ask('GET', 'AttachmentsList'), ask('GET', `Volume/${volume}`)]);
    cache[volume] = cacheEntry(volume);
    await save();
    await reassign({ volume, rw: [OUR_CLIENT] });
    fs.statSync(`${deviceDir}/${volume}`);
  });

const detach = (volume) =>
  locked(async (cache, save) => {
    await ask('GET', 'AttachmentsList');
    await reassign({ volume, detach: [OUR_CLIENT] });
    delete cache[volume];
    await save();
  });

act({
  attach: ({ volume }) => timed(() => attach(volume)),
  detach: ({ volume }) => timed(() => detach(volume)),
  add: ({ times }) =>
    timedEach(times, (nr) =>
      locked((cache, save) => {
        cache['os--added'] = { ...cacheEntry('os--added'), nr };
        return save();
      }),
    ),
});
