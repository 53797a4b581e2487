import type {
  GroupSnapshot,
  Snapshot,
  SnapshotCreate,
  SnapshotUpdate,
  VolumeFreeze,
} from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { checkFields, count, flag, list, POLICY, string, tags } from '../fields.js';
import { invalid } from '../refusal.js';
import { change, policyOf, refuseIfAttached } from './policy.js';

export function snapshotCreate(
  cluster: FakeCluster,
  volumeName: string,
  body: unknown,
): Record<string, unknown> {
  const {
    name = '',
    bind,
    deleteAfter,
    mcMode: _,
    ...rest
  } = checkFields<SnapshotCreate>(
    body,
    {
      name: string,
      bind: flag,
      targetDeleteDate: count,
      deleteAfter: count,
      tags,
      mcMode: string,
    },
    'VolumeSnapshot',
  );
  const volume = cluster.find('volume', volumeName);
  const snapshot = cluster.objects.snapshot.create<Snapshot>({
    ...policyOf(volume),
    ...rest,
    ...(deleteAfter ? { targetDeleteDate: inSeconds(deleteAfter) } : {}),
    name,
    autoName: name === '',
    bound: bind ?? false,
    onVolume: volume.name,
    parentName: volume.parentName,
    templateName: volume.templateName,
    size: volume.size,
  });
  volume.parentName = snapshot.name;
  const { globalId } = snapshot;
  return {
    snapshotGlobalId: globalId,
    ...(name === '' && { name: snapshot.name, autoName: snapshot.name, globalId }),
  };
}

/** Checks all volumes before it makes the first snapshot. */
export function volumesGroupSnapshot(cluster: FakeCluster, body: unknown): Record<string, unknown> {
  const what = 'VolumesGroupSnapshot';
  const group = checkFields<GroupSnapshot>(body, { 'volumes!': list, tags }, what);
  const entries = group.volumes.map((given) =>
    checkFields<{ volume: string; name?: string }>(given, { 'volume!': string, name: string }, what),
  );
  const names = entries.flatMap(({ name }) => name || []);
  for (const name of names) cluster.objects.snapshot.checkFree(name);
  if (new Set(names).size < names.length) throw invalid(`${what}: two snapshots have the same name.`);
  for (const { volume } of entries) cluster.find('volume', volume);
  const snapshots = entries.map(({ volume, name }) => {
    const { globalId: volumeGlobalId, name: volumeName } = cluster.find('volume', volume);
    const argument = { ...(name !== undefined && { name }), ...(group.tags && { tags: group.tags }) };
    const { snapshotGlobalId } = snapshotCreate(cluster, volume, argument);
    const snapshot = name || `~${snapshotGlobalId}`;
    return { volume: volumeName, volumeGlobalId, snapshot, snapshotGlobalId, remoteId: snapshotGlobalId };
  });
  return { snapshots };
}

/** Turns a volume into a snapshot with the same name and global ID. */
export function volumeFreeze(cluster: FakeCluster, name: string, body: unknown = {}): void {
  const { targetDeleteDate, deleteAfter } = checkFields<VolumeFreeze>(
    body,
    { targetDeleteDate: count, deleteAfter: count },
    'VolumeFreeze',
  );
  const volume = cluster.find('volume', name);
  refuseIfAttached(cluster, 'volume', volume.name);
  const date = deleteAfter ? inSeconds(deleteAfter) : targetDeleteDate;
  cluster.objects.snapshot.create<Snapshot>({
    ...volume,
    name: volume.name.startsWith('~') ? '' : volume.name,
    ...(date ? { targetDeleteDate: date } : {}),
  });
  cluster.delete('volume', volume);
}

export function snapshotDelete(cluster: FakeCluster, name: string): void {
  const snapshot = cluster.find('snapshot', name);
  refuseIfAttached(cluster, 'snapshot', snapshot.name);
  cluster.delete('snapshot', snapshot);
}

export function snapshotUpdate(cluster: FakeCluster, name: string, body: unknown): void {
  const {
    rename,
    bind,
    deleteAfter,
    template,
    mcMode: _,
    ...rest
  } = checkFields<SnapshotUpdate>(
    body,
    { ...POLICY, rename: string, bind: flag, targetDeleteDate: count, deleteAfter: count, template: string },
    'SnapshotUpdate',
  );
  const snapshot = cluster.find('snapshot', name);
  const settings = template === undefined ? undefined : cluster.template(template);
  const templateName = settings?.name ?? snapshot.templateName;
  if (rename !== undefined && rename !== snapshot.name) cluster.rename('snapshot', snapshot, rename);
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

export const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;
