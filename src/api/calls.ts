import { checkClientId, checkName, type ObjectKind } from './names.js';

/** How one call of the StorPool API is made. */
export interface ApiCall {
  method: 'GET' | 'POST';
  path: string;
  /** The path ends in the name of such an object, or in a client ID. */
  name?: ObjectKind | 'client';
  /** Whether the call has a multi-cluster form. Default: `false`. */
  multiCluster?: boolean;
  /** The result is a list of objects that have this string member. */
  listOf?: 'name' | 'volume';
  /** The options that it has besides those that all calls have. */
  options?: readonly string[];
}

/** The calls that the open-source integrations make, by the names of the reference. */
export const CALLS = {
  attachmentsList: { method: 'GET', path: 'AttachmentsList', multiCluster: true, listOf: 'volume' },
  volumesList: { method: 'GET', path: 'VolumesList', multiCluster: true, listOf: 'name' },
  snapshotsList: { method: 'GET', path: 'SnapshotsList', multiCluster: true, listOf: 'name' },
  volumeList: { method: 'GET', path: 'Volume', name: 'volume', multiCluster: true, listOf: 'name' },
  snapshotList: { method: 'GET', path: 'Snapshot', name: 'snapshot', multiCluster: true, listOf: 'name' },
  volumeInfo: { method: 'GET', path: 'VolumeGetInfo', name: 'volume', multiCluster: true },
  volumesReassign: { method: 'POST', path: 'VolumesReassign', multiCluster: true },
  volumesReassignWait: { method: 'POST', path: 'VolumesReassignWait', multiCluster: true },
  volumeCreate: { method: 'POST', path: 'VolumeCreate', multiCluster: true },
  volumeUpdate: { method: 'POST', path: 'VolumeUpdate', name: 'volume', multiCluster: true },
  volumeRevert: { method: 'POST', path: 'VolumeRevert', name: 'volume', multiCluster: true },
  volumeDelete: {
    method: 'POST',
    path: 'VolumeDelete',
    name: 'volume',
    multiCluster: true,
    options: ['onAttached'],
  },
  snapshotCreate: { method: 'POST', path: 'VolumeSnapshot', name: 'volume', multiCluster: true },
  snapshotDelete: { method: 'POST', path: 'SnapshotDelete', name: 'snapshot', multiCluster: true },
  snapshotUpdate: { method: 'POST', path: 'SnapshotUpdate', name: 'snapshot' },
  disksList: { method: 'GET', path: 'DisksList' },
  volumeTemplatesList: { method: 'GET', path: 'VolumeTemplatesList', listOf: 'name' },
  iSCSIConfig: { method: 'GET', path: 'iSCSIConfig' },
  iSCSIConfigChange: { method: 'POST', path: 'iSCSIConfig' },
  volumesGroupSnapshot: { method: 'POST', path: 'VolumesGroupSnapshot', multiCluster: true },
  volumeTemplateDescribe: { method: 'GET', path: 'VolumeTemplateDescribe', name: 'template' },
  volumeTemplatesStatus: {
    method: 'GET',
    path: 'VolumeTemplatesStatus',
    listOf: 'name',
    options: ['allClusters'],
  },
  volumesSpace: {
    method: 'GET',
    path: 'VolumesSpace',
    multiCluster: true,
    listOf: 'name',
    options: ['allClusters'],
  },
  volumesGetStatus: { method: 'GET', path: 'VolumesGetStatus', multiCluster: true },
  volumesAndSnapshotsList: { method: 'GET', path: 'VolumesAndSnapshotsList' },
  volumeDescribe: { method: 'GET', path: 'VolumeDescribe', name: 'volume', multiCluster: true },
  snapshotDescribe: { method: 'GET', path: 'SnapshotDescribe', name: 'snapshot', multiCluster: true },
  snapshotFromRemote: { method: 'POST', path: 'SnapshotFromRemote' },
  volumeFreeze: { method: 'POST', path: 'VolumeFreeze', name: 'volume', multiCluster: true },
  volumeAcquire: { method: 'POST', path: 'VolumeAcquire', name: 'volume', multiCluster: true },
  servicesList: { method: 'GET', path: 'ServicesList' },
  clientConfigWait: { method: 'GET', path: 'ClientConfigWait', name: 'client' },
  placementGroupDescribe: { method: 'GET', path: 'PlacementGroupDescribe', name: 'placement group' },
  volumeTemplateCreate: { method: 'POST', path: 'VolumeTemplateCreate' },
  volumeTemplateDelete: { method: 'POST', path: 'VolumeTemplateDelete', name: 'template' },
  snapshotInfo: { method: 'GET', path: 'SnapshotGetInfo', name: 'snapshot', multiCluster: true },
  tasksList: { method: 'GET', path: 'TasksList' },
} as const satisfies Record<string, ApiCall>;

/** The path of a call. @throws {@link ApiArgumentError} when the name or client ID is invalid */
export function pathOf({ path, name: kind }: Pick<ApiCall, 'path' | 'name'>, name: unknown): string {
  if (kind === undefined) return path;
  return `${path}/${kind === 'client' ? checkClientId(name) : checkName(kind, name)}`;
}
