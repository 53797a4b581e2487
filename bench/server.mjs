// The StorPool API of a large cluster on loopback, in a process of its own. The lists are made beforehand, so that
// what is measured is the clients and not this server.
import { rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { act } from '../test/lib/act.mjs';
import { attachmentEntry, firstAttachments, snapshotEntry, volumeEntry } from './inventory.mjs';

const { volumes: count, deviceDir } = JSON.parse(process.argv[2]);
const reply = (data) => ({ status: 200, body: `{"data":${data},"generation":1234567}` });
const refusal = (status, name, descr) => ({ status, body: JSON.stringify({ error: { name, descr } }) });

function listOf(length, entryOf) {
  const entries = new Map();
  for (let index = 0; index < length; index++) {
    const entry = entryOf(index);
    entries.set(entry.name, JSON.stringify(entry));
  }
  const { status, body } = reply(`[${[...entries.values()].join(',')}]`);
  return { entries, whole: { status, body: Buffer.from(body) } };
}

const lists = { Volume: listOf(count, volumeEntry), Snapshot: listOf(count / 2, snapshotEntry) };
const atFirst = JSON.stringify(firstAttachments(count)).slice(0, -1);
/** What the clients under test have attached since then: name to entry. */
const attached = new Map();
/** Volumes that somebody has open: they are detached by force alone. */
let inUse = new Set();
let deviceDelay = 0;
let hangs = false;

function link(name) {
  if (attached.has(name)) symlinkSync('/dev/null', `${deviceDir}/${name}`);
}

function detach(name) {
  attached.delete(name);
  rmSync(`${deviceDir}/${name}`, { force: true });
}

function reassign([{ volume, detach: isDetach, force }]) {
  if (isDetach && inUse.has(volume) && !force) return refusal(409, 'busy', 'The volume is open at client 1');
  if (isDetach) detach(volume);
  else {
    attached.set(volume, JSON.stringify(attachmentEntry(volume)));
    // At once means before the reply: a client that looks then finds it.
    if (deviceDelay === 0) link(volume);
    else setTimeout(link, deviceDelay, volume);
  }
  return reply('{"ok":true}');
}

function answer(path, body) {
  const [call, name] = path.slice('/ctrl/1.0/'.length).split('/');
  if (call === 'AttachmentsList') return reply(`${[atFirst, ...attached.values()].join(',')}]`);
  if (call === 'VolumesReassign') return reassign(JSON.parse(body));
  if (call === 'VolumesList') return lists.Volume.whole;
  if (call === 'SnapshotsList') return lists.Snapshot.whole;
  const entry = lists[call].entries.get(decodeURIComponent(name));
  return entry === undefined ? refusal(404, 'objectDoesNotExist', 'It does not exist') : reply(`[${entry}]`);
}

const server = createServer(async (request, response) => {
  const parts = await request.toArray();
  if (hangs) return;
  const { status, body } = answer(request.url, Buffer.concat(parts));
  const headers = { 'Content-Length': Buffer.byteLength(body), Connection: 'close' };
  response.writeHead(status, headers).end(body);
});

act({
  listen: () => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port))),
  /** Forgets what was attached since the start, and who has what open. */
  reset({ deviceDelay: delay }) {
    deviceDelay = delay;
    inUse = new Set();
    for (const name of attached.keys()) detach(name);
  },
  open({ volumes }) {
    inUse = new Set(volumes);
  },
  /** Requests are accepted from now on, and never answered. */
  hang() {
    hangs = true;
  },
});
