// The StorPool API of a large cluster on loopback, in a process of its own: node bench/server.mjs OPTIONS.
// The lists are made beforehand, so that what is measured is the clients and not this server.
import { rmSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { now } from '../test/lib/stats.mjs';
import {
  attachmentEntries,
  attachmentEntry,
  OUR_CLIENT,
  snapshotEntry,
  snapshotName,
  volumeEntry,
  volumeName,
} from './lib/inventory.mjs';

const BASE = '/ctrl/1.0/';
const options = { volumes: 10, snapshots: 5, attachments: 5, deviceDelay: 0, ...JSON.parse(process.argv[2]) };
const HEAD = Buffer.from('{"data":[');
const TAIL = Buffer.from('],"generation":1234567}');

/** Entries one after the other in one piece of memory, and where each of them is. */
function listOf(count, entry, name) {
  const places = new Map();
  const parts = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    const bytes = Buffer.from(`${index === 0 ? '' : ','}${entry(index)}`);
    const skipped = index === 0 ? 0 : 1;
    places.set(name(index), [at + skipped, at + bytes.length]);
    at += bytes.length;
    parts.push(bytes);
  }
  return { bytes: Buffer.concat(parts), places };
}

const volumes = listOf(options.volumes, volumeEntry, volumeName);
const snapshots = listOf(options.snapshots, snapshotEntry, snapshotName);
const attachedAtFirst = Buffer.from([...attachmentEntries(options.attachments)].join(','));
/** What the clients under test have attached since then: name to entry. */
let attached = new Map();
let links = new Set();
let lastLink = 0;
let traffic = {};
let open = 0;
/** Volumes that somebody has open: they are detached by force alone. */
let inUse = new Set();

const wholeList = ({ bytes }) => [HEAD, bytes, TAIL];

function one({ bytes, places }, name) {
  const place = places.get(name);
  if (place === undefined) return undefined;
  return [HEAD, bytes.subarray(...place), TAIL];
}

function attachmentsList() {
  const more = [...attached.values()].join(',');
  const comma = attachedAtFirst.length > 0 && more !== '' ? ',' : '';
  return [HEAD, attachedAtFirst, Buffer.from(comma + more), TAIL];
}

function makeLink(name) {
  if (!attached.has(name) || links.has(name)) return;
  symlinkSync('/dev/null', join(options.deviceDir, name));
  links.add(name);
  lastLink = now();
}

function removeLink(name) {
  if (links.delete(name)) rmSync(join(options.deviceDir, name), { force: true });
}

function reassign([{ volume, snapshot, rw, detach, force }]) {
  const name = volume ?? snapshot;
  if (detach !== undefined && inUse.has(name) && !force) return undefined;
  if (detach !== undefined) {
    attached.delete(name);
    removeLink(name);
  } else {
    const rights = rw === undefined ? 'ro' : 'rw';
    attached.set(name, attachmentEntry({ volume: name, client: OUR_CLIENT, rights, snapshot: !volume }));
    // At once means before the reply: a client that looks then finds it.
    if (options.deviceDelay === 0) makeLink(name);
    else setTimeout(makeLink, options.deviceDelay, name);
  }
  return [Buffer.from('{"data":{"ok":true},"generation":1234568}')];
}

function answer(path, body) {
  const [call, name] = path.split('/');
  switch (call) {
    case 'AttachmentsList':
      return attachmentsList();
    case 'VolumesList':
      return wholeList(volumes);
    case 'SnapshotsList':
      return wholeList(snapshots);
    case 'Volume':
      return one(volumes, decodeURIComponent(name));
    case 'Snapshot':
      return one(snapshots, decodeURIComponent(name));
    case 'VolumesReassign':
      return reassign(JSON.parse(body));
    default:
      throw new Error(`There is no call ${path}`);
  }
}

const IN_USE = Buffer.from(
  '{"error":{"name":"busy","descr":"The volume is open at client 1","transient":false}}',
);

const NOT_THERE = Buffer.from(
  '{"error":{"name":"objectDoesNotExist","descr":"It does not exist","transient":false}}',
);

const server = createServer((request, response) => {
  const path = request.url.slice(BASE.length);
  const { socket } = request;
  open++;
  // One request a connection, so what the connection carried is what the request cost.
  socket.on('close', () => {
    open--;
    const [call] = path.split('/');
    traffic[call] ??= { requests: 0, sent: 0, received: 0 };
    traffic[call].requests++;
    traffic[call].sent += socket.bytesWritten;
    traffic[call].received += socket.bytesRead;
  });
  let body = '';
  request.on('data', (text) => {
    body += text;
  });
  request.on('end', () => {
    const found = answer(path, body);
    const parts = found ?? [path === 'VolumesReassign' ? IN_USE : NOT_THERE];
    const length = parts.reduce((sum, { length }) => sum + length, 0);
    response.writeHead(found === undefined ? (path === 'VolumesReassign' ? 409 : 404) : 200, {
      'Content-Type': 'application/json',
      'Content-Length': length,
      Connection: 'close',
    });
    for (const part of parts) response.write(part);
    response.end();
  });
});

const commands = {
  /** Forgets what was attached since the start, and takes other options for the devices. */
  reset(changes) {
    Object.assign(options, changes);
    attached = new Map();
    for (const name of links) rmSync(join(options.deviceDir, name), { force: true });
    links = new Set();
    inUse = new Set();
  },
  open(names) {
    inUse = new Set(names);
  },
  /** Nobody answers for so many milliseconds. */
  async down(ms) {
    const { port } = server.address();
    await new Promise((resolve) => server.close(resolve));
    setTimeout(() => server.listen(port, '127.0.0.1'), ms);
  },
  lastLink: () => lastLink,
  /** What was asked for since the last time, once all of it is answered. */
  async traffic() {
    while (open > 0) await new Promise((resolve) => setTimeout(resolve, 2));
    const counted = traffic;
    traffic = {};
    return counted;
  },
};

process.on('message', async ({ command, argument }) => {
  process.send({ result: (await commands[command](argument)) ?? null });
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  process.send({ result: { port: server.address().port } });
});
