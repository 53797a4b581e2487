import type { Snapshot, SnapshotCreate, SnapshotUpdate } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { checkFields, count, flag, POLICY, string, tags } from '../fields.js';
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
    ...rest
  } = checkFields<SnapshotCreate>(
    body,
    {
      name: string,
      bind: flag,
      targetDeleteDate: count,
      deleteAfter: count,
      tags,
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

export function snapshotDelete(cluster: FakeCluster, name: string): void {
  const snapshot = cluster.find('snapshot', name);
  refuseIfAttached(cluster, 'snapshot', snapshot.name);
  cluster.delete('snapshot', snapshot);
}

export function snapshotUpdate(cluster: FakeCluster, name: string, body: unknown): void {
  const { rename, bind, deleteAfter, template, ...rest } = checkFields<SnapshotUpdate>(
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
