const HYPERVISORS = 1000;
/** The host under test. */
export const OUR_CLIENT = 1;
/** The most that the host under test has attached before anything is measured. */
const OURS = 20;

const uuid = (index) =>
  `${index.toString(16).padStart(8, '0')}-5b1c-4e7a-9c3d-${String(index).padStart(12, '0')}`;
const created = (index) => 1_700_000_000 + index;

/** The name of the volume with that number; the highest numbers are attached nowhere. */
export const volumeName = (index) => `os--volume-${uuid(index)}`;

/** The name of the snapshot with that number. */
export const snapshotName = (index) => `os--snap--none--snapshot-${uuid(index)}`;

/** How many of that many attachments are our host's; they are the first ones. */
export const oursOf = (attachments) => Math.min(OURS, Math.ceil(attachments / 5));

/** An entry of the volume list, of the size that those of the service have. */
export function volumeEntry(index) {
  return JSON.stringify({
    autoName: false,
    bw: 0,
    creationTimestamp: created(index),
    deleted: false,
    generationLeft: 18_446_744_073,
    globalId: `abcd.b.${index.toString(36)}`,
    id: 100_000 + index,
    iops: 0,
    limitType: 'template',
    name: volumeName(index),
    objectsCount: 320,
    onVolume: '-',
    parentName: index % 3 === 0 ? '' : `~abcd.b.${(index >> 4).toString(36)}`,
    placeAll: 'hdd-all-racks',
    placeHead: 'nvme-first-rack',
    placeTail: 'ssd-second-rack',
    recoveringFromRemote: false,
    replication: 3,
    reuseServer: false,
    rootCauseId: `abcd.b.${index.toString(36)}`,
    size: 10_737_418_240,
    tags: { virt: 'cinder', qc: 'tier2-1000iops', pvm: uuid(index + 7) },
    templateName: 'hybrid-r3-nvme',
    visibleVolumeId: 200_000 + index,
  });
}

/** An entry of the snapshot list. */
export function snapshotEntry(index) {
  return JSON.stringify({
    autoName: index % 2 === 0,
    bound: false,
    bw: 0,
    creationTimestamp: created(index),
    deleted: false,
    globalId: `abcd.b.s${index.toString(36)}`,
    id: 900_000 + index,
    iops: 0,
    name: snapshotName(index),
    objectsCount: 320,
    onVolume: volumeName(index),
    parentName: '',
    placeAll: 'hdd-all-racks',
    placeHead: 'nvme-first-rack',
    placeTail: 'ssd-second-rack',
    recoveringFromRemote: false,
    replication: 3,
    size: 10_737_418_240,
    tags: { virt: 'cinder' },
    targetDeleteDate: 0,
    templateName: 'hybrid-r3-nvme',
    transient: false,
    visibleVolumeId: 950_000 + index,
  });
}

/** An entry of the attachment list. */
export function attachmentEntry({ volume, client, rights, snapshot = false, pos = 0 }) {
  return JSON.stringify({ client, globalId: 'abcd.b.1k2f', pos, rights, snapshot, volume });
}

/** The attachments that are there from the start: one a volume, spread over the hypervisors. */
export function* attachmentEntries(count) {
  const ours = oursOf(count);
  for (let index = 0; index < count; index++) {
    const client = index < ours ? OUR_CLIENT : OUR_CLIENT + 1 + (index % (HYPERVISORS - 1));
    yield attachmentEntry({ volume: volumeName(index), client, rights: 'rw', pos: index % 64 });
  }
}

/** An entry of the cache, as Cinder makes it. */
export const cacheEntry = (volume) => ({ volume, type: 'cinder', id: volume, rights: 2, volsnap: false });

/** The cache of our host with requests for these volumes. */
export const cacheOf = (volumes) =>
  JSON.stringify(Object.fromEntries(volumes.map((volume) => [volume, cacheEntry(volume)])));

/** The volumes that our host has attached from the start. */
export const ourVolumes = (attachments) =>
  Array.from({ length: oursOf(attachments) }, (_, index) => volumeName(index));
