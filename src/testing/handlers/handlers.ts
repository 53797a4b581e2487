import { CALLS } from '../../api/calls.js';
import type { ApiCallName } from '../call-name.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { iSCSIConfigChange } from './iscsi.js';
import { volumesReassign, volumesReassignWait } from './reassign.js';
import { snapshotCreate, snapshotDelete, snapshotUpdate } from './snapshots.js';
import { volumeCreate, volumeDelete, volumeRevert, volumeUpdate } from './volumes.js';

/** Carries out one call; of a call that changes something it gives what its answer has besides `ok`. */
type Handler = (cluster: FakeCluster, name: string, body: unknown) => unknown;

const HANDLERS: Record<ApiCallName, Handler> = {
  attachmentsList: ({ attachments }) => attachments,
  volumesList: ({ volumes }) => volumes,
  snapshotsList: ({ snapshots }) => snapshots,
  volumeList: (cluster, name) => [cluster.find('volume', name)],
  snapshotList: (cluster, name) => [cluster.find('snapshot', name)],
  volumeInfo: (cluster, name) => ({
    ...cluster.find('volume', name),
    disksCount: cluster.disks.length,
    objectsPerDisk: {},
    objectsPerChain: [],
    objectsPerDiskSet: [],
  }),
  volumesReassign: (cluster, _name, body) => volumesReassign(cluster, body),
  volumesReassignWait: (cluster, _name, body) => volumesReassignWait(cluster, body),
  volumeCreate: (cluster, _name, body) => volumeCreate(cluster, body),
  volumeUpdate,
  volumeRevert,
  volumeDelete,
  snapshotCreate,
  snapshotDelete,
  snapshotUpdate,
  disksList: ({ disks }) => Object.fromEntries(disks.map((disk) => [disk.id, disk])),
  volumeTemplatesList: ({ templates }) => [...templates.values()],
  iSCSIConfig: ({ iscsi }) => ({ iscsi }),
  iSCSIConfigChange: (cluster, _name, body) => iSCSIConfigChange(cluster, body),
};

/** The `data` of the answer. */
export function carryOut(cluster: FakeCluster, call: ApiCallName, name: string, body: unknown): unknown {
  const result = HANDLERS[call](cluster, name, body);
  if (CALLS[call].method === 'GET') return result;
  cluster.generation++;
  return { ok: true, generation: cluster.generation, ...(result as object | undefined) };
}
