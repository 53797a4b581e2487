import type { NameKind } from '../../api/names.js';
import type {
  Snapshot,
  SnapshotCreate,
  SnapshotUpdate,
  Volume,
  VolumeCreate,
  VolumeRevert,
  VolumeUpdate,
} from '../../api/types.js';
import { type FakeCluster, withoutEmpty } from '../cluster.js';
import { checkFields, count, flag, POLICY, size, text } from '../fields.js';
import { busy, invalid } from '../refusal.js';

export function volumeCreate(cluster: FakeCluster, body: unknown): Record<string, unknown> {
  const { name, parent, baseOn, template, ...rest } = checkFields<VolumeCreate>(
    body,
    { ...POLICY, 'name!': text, size, parent: text, baseOn: text, template: text },
    'VolumeCreate',
  );
  if (parent !== undefined && baseOn !== undefined) {
    throw invalid('VolumeCreate: give "parent" or "baseOn", not both.');
  }
  const source =
    baseOn === undefined ? parent && cluster.find('snapshot', parent) : cluster.find('volume', baseOn);
  const settings = template === undefined ? undefined : cluster.template(template);
  const bytes = rest.size ?? (source ? source.size : settings?.size);
  if (typeof bytes !== 'number') throw invalid('VolumeCreate: "size" is missing.');
  if (source && bytes < source.size) {
    throw invalid(`VolumeCreate: "size" is below that of '${source.name}'.`);
  }
  const volume = cluster.create<Volume>('volume', {
    ...policyOf(settings ?? (source || {})),
    ...rest,
    name: name as string,
    size: bytes,
    templateName: template ?? (source ? source.templateName : ''),
    parentName: baseOn === undefined && source ? source.name : '',
  });
  if (baseOn === undefined) return { globalId: volume.globalId };
  const autoName = cluster.autoName();
  cluster.create<Snapshot>('snapshot', {
    ...policyOf(source || {}),
    name: autoName,
    transient: true,
    autoName: true,
    size: bytes,
  });
  volume.parentName = autoName;
  return { globalId: volume.globalId, autoName };
}

export function volumeUpdate(cluster: FakeCluster, name: string, body: unknown): void {
  const { rename, template, sizeAdd, shrinkOk, ...rest } = checkFields<VolumeUpdate>(
    body,
    { ...POLICY, rename: text, size, sizeAdd: size, template: text, shrinkOk: flag },
    'VolumeUpdate',
  );
  const volume = cluster.find('volume', name);
  const before = volume.size;
  if (rest.size !== undefined && sizeAdd !== undefined) {
    throw invalid('VolumeUpdate: give "size" or "sizeAdd", not both.');
  }
  const after = sizeAdd === undefined ? (rest.size ?? before) : before + sizeAdd;
  if (after < before && shrinkOk !== true) {
    throw invalid(`VolumeUpdate: '${name}' would shrink; "shrinkOk" allows that.`);
  }
  const settings = template === undefined ? undefined : cluster.template(template);
  const templateName = settings?.name ?? volume.templateName;
  if (rename !== undefined && rename !== volume.name) cluster.rename('volume', volume, rename);
  change(volume, { ...policyOf(settings ?? {}), ...rest, size: after, templateName });
}

export function volumeRevert(cluster: FakeCluster, name: string, body: unknown): void {
  const { toSnapshot, revertSize } = checkFields<VolumeRevert>(
    body,
    { 'toSnapshot!': text, revertSize: flag },
    'VolumeRevert',
  );
  const volume = cluster.find('volume', name);
  const snapshot = cluster.find('snapshot', toSnapshot);
  refuseIfAttached(cluster, 'volume', volume.name);
  if (snapshot.size !== volume.size && revertSize !== true) {
    throw invalid(`VolumeRevert: '${toSnapshot}' has another size; "revertSize" takes that too.`);
  }
  change(volume, { parentName: snapshot.name, size: snapshot.size });
}

export function volumeDelete(cluster: FakeCluster, name: string): void {
  const volume = cluster.find('volume', name);
  refuseIfAttached(cluster, 'volume', volume.name);
  cluster.delete('volume', volume);
}

export function snapshotCreate(
  cluster: FakeCluster,
  volumeName: string,
  body: unknown,
): Record<string, unknown> {
  const { name, bind, deleteAfter, ...rest } = checkFields<SnapshotCreate>(
    body,
    {
      name: text,
      bind: flag,
      targetDeleteDate: count,
      deleteAfter: count,
      tags: POLICY['tags'] as typeof text,
    },
    'VolumeSnapshot',
  );
  const volume = cluster.find('volume', volumeName);
  const autoName = name === undefined ? cluster.autoName() : undefined;
  const snapshot = cluster.create<Snapshot>('snapshot', {
    ...policyOf(volume),
    ...rest,
    ...(deleteAfter ? { targetDeleteDate: inSeconds(deleteAfter) } : {}),
    name: name ?? (autoName as string),
    autoName: autoName !== undefined,
    bound: bind ?? false,
    onVolume: volume.name,
    parentName: volume.parentName,
    templateName: volume.templateName,
    size: volume.size,
  });
  volume.parentName = snapshot.name;
  return { ...(autoName && { autoName }), snapshotGlobalId: snapshot.globalId };
}

export function snapshotDelete(cluster: FakeCluster, name: string): void {
  const snapshot = cluster.find('snapshot', name);
  refuseIfAttached(cluster, 'snapshot', snapshot.name);
  for (const child of cluster.childrenOf(snapshot)) child.parentName = snapshot.parentName;
  cluster.delete('snapshot', snapshot);
}

export function snapshotUpdate(cluster: FakeCluster, name: string, body: unknown): void {
  const { rename, bind, deleteAfter, template, ...rest } = checkFields<SnapshotUpdate>(
    body,
    { ...POLICY, rename: text, bind: flag, targetDeleteDate: count, deleteAfter: count, template: text },
    'SnapshotUpdate',
  );
  const snapshot = cluster.find('snapshot', name);
  const settings = template === undefined ? undefined : cluster.template(template);
  const templateName = settings?.name ?? snapshot.templateName;
  if (rename !== undefined && rename !== snapshot.name) {
    const children = cluster.childrenOf(snapshot);
    cluster.rename('snapshot', snapshot, rename);
    for (const child of children) child.parentName = rename;
  }
  change(snapshot, {
    ...policyOf(settings ?? {}),
    ...rest,
    templateName,
    ...(bind === undefined ? {} : { bound: bind }),
    ...(deleteAfter === undefined
      ? {}
      : { targetDeleteDate: deleteAfter === 0 ? 0 : inSeconds(deleteAfter) }),
  });
}

/** Tags are added to those that are there; an empty one removes its name. */
function change(
  object: Volume,
  { tags, ...fields }: Record<string, unknown> & { tags?: Volume['tags'] },
): void {
  Object.assign(object, fields);
  object.tags = withoutEmpty({ ...object.tags, ...tags });
}

/** Where and how often the data is kept, as volumes and snapshots take it over from what they are made of. */
const POLICY_NAMES = ['placeAll', 'placeTail', 'placeHead', 'replication', 'bw', 'iops', 'reuseServer'];
const policyOf = (from: object) =>
  Object.fromEntries(Object.entries(from).filter(([name]) => POLICY_NAMES.includes(name)));

function refuseIfAttached(cluster: FakeCluster, kind: NameKind, name: string): void {
  const [attachment] = cluster.attachmentsOf(kind, name);
  if (attachment !== undefined) {
    throw busy(
      `${kind === 'volume' ? 'Volume' : 'Snapshot'} '${name}' is in use at client ${attachment.client}.`,
    );
  }
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
