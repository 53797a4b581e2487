import { timed } from '../test/lib/stats.mjs';

// A cluster of N volumes, N/2 snapshots and N/2 attachments, with entries of the size that those of the service have.

/** The host under test, one of many. */
export const OUR_CLIENT = 1;
const HYPERVISORS = 1000;
/** The most that it has attached before anything is measured. */
const OURS = 20;

const uuid = (index) =>
  `${index.toString(16).padStart(8, '0')}-5b1c-4e7a-9c3d-${String(index).padStart(12, '0')}`;
const globalId = (index) => `abcd.b.${index.toString(36)}`;

/** The name of the volume with that number; the highest numbers are attached nowhere. */
export const volumeName = (index) => `os--volume-${uuid(index)}`;

/** What a volume and a snapshot have in common, as the service sends it. */
const OBJECT =
  '{"autoName":false,"bound":false,"bw":0,"creationTimestamp":1700000000,"deleted":false,"generationLeft":18446744073,"iops":0,"limitType":"template","objectsCount":320,"onVolume":"-","placeAll":"hdd-all-racks","placeHead":"nvme-first-rack","placeTail":"ssd-second-rack","recoveringFromRemote":false,"replication":3,"reuseServer":false,"rootCauseId":"abcd.b.1k2f","size":10737418240,"targetDeleteDate":0,"templateName":"hybrid-r3-nvme","transient":false,"visibleVolumeId":200000}';
const objectEntry = (index, name) => ({
  ...JSON.parse(OBJECT),
  globalId: globalId(index),
  id: 100_000 + index,
  name,
  parentName: index % 3 === 0 ? '' : `~${globalId(index >> 4)}`,
  tags: { virt: 'cinder', qc: 'tier2-1000iops', pvm: uuid(index + 7) },
});
export const volumeEntry = (index) => objectEntry(index, volumeName(index));
export const snapshotEntry = (index) => objectEntry(index, `os--snap--none--snapshot-${uuid(index)}`);
export function attachmentEntry(volume, client = OUR_CLIENT) {
  const index = Number.parseInt(volume.slice(volumeName(0).indexOf('0')), 16);
  return { client, volume, snapshot: false, rights: 'rw', globalId: globalId(index), pos: index % 64 };
}

/** How many volumes our host has attached in a cluster of that size. */
export const oursOf = (volumes) => Math.min(OURS, Math.ceil(volumes / 10));

/** The attachments that are there from the start: one a volume, ours first, then spread over the hypervisors. */
export const firstAttachments = (volumes) =>
  Array.from({ length: volumes / 2 }, (_, index) => {
    const client = index < oursOf(volumes) ? OUR_CLIENT : OUR_CLIENT + 1 + (index % (HYPERVISORS - 1));
    return attachmentEntry(volumeName(index), client);
  });

/** An entry of the cache, as Cinder makes it. */
export const cacheEntry = (volume) => ({ volume, type: 'cinder', id: volume, rights: 2, volsnap: false });

/** A cache with requests for so many volumes. */
export const cacheOf = (count) => {
  const names = Array.from({ length: count }, (_, index) => volumeName(index));
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, cacheEntry(name)])));
};

/** How long each of so many calls takes, one after the other, in ms. */
export async function timedEach(times, call) {
  const ms = [];
  while (ms.length < times) ms.push(await timed(() => call(ms.length)));
  return ms;
}
