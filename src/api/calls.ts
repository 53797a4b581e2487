import type { NameKind } from './names.js';

/** How one call of the StorPool API is made. */
export interface ApiCall {
  method: 'GET' | 'POST';
  path: string;
  /** The path goes on with the name of such an object. */
  name?: NameKind;
  /** Whether the call has a multi-cluster form. */
  multiCluster: boolean;
  /** The result is a list of objects that have this string member. */
  listOf?: 'name' | 'volume';
}

/** The calls that the OpenStack drivers make, by the names of the reference. */
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
  volumeDelete: { method: 'POST', path: 'VolumeDelete', name: 'volume', multiCluster: true },
  snapshotCreate: { method: 'POST', path: 'VolumeSnapshot', name: 'volume', multiCluster: true },
  snapshotDelete: { method: 'POST', path: 'SnapshotDelete', name: 'snapshot', multiCluster: true },
  snapshotUpdate: { method: 'POST', path: 'SnapshotUpdate', name: 'snapshot', multiCluster: false },
  disksList: { method: 'GET', path: 'DisksList', multiCluster: false },
  volumeTemplatesList: { method: 'GET', path: 'VolumeTemplatesList', multiCluster: false, listOf: 'name' },
  iSCSIConfig: { method: 'GET', path: 'iSCSIConfig', multiCluster: false },
  iSCSIConfigChange: { method: 'POST', path: 'iSCSIConfig', multiCluster: false },
} as const satisfies Record<string, ApiCall>;
