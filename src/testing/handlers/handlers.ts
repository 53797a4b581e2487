import { CALLS } from '../../api/calls.js';
import type { ApiCallName } from '../call-name.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { invalid } from '../refusal.js';
import { iSCSIConfigChange } from './iscsi.js';
import { volumesReassign, volumesReassignWait } from './reassign.js';
import {
  clientConfigWait,
  describe,
  info,
  placementGroupDescribe,
  servicesList,
  volumesGetStatus,
  volumesSpace,
} from './reports.js';
import {
  snapshotCreate,
  snapshotDelete,
  snapshotUpdate,
  volumeFreeze,
  volumesGroupSnapshot,
} from './snapshots.js';
import { volumeTemplateCreate, volumeTemplateDelete, volumeTemplatesStatus } from './templates.js';
import { volumeCreate, volumeDelete, volumeRevert, volumeUpdate } from './volumes.js';

/** Carries out one call. For a call that changes something, it returns what the reply has besides `ok`. */
type Handler = (cluster: FakeCluster, name: string, body: unknown) => unknown;

const HANDLERS: Record<ApiCallName, Handler> = {
  attachmentsList: ({ attachments }) => attachments,
  volumesList: ({ volumes }) => volumes,
  snapshotsList: ({ snapshots }) => snapshots,
  volumeList: (cluster, name) => [cluster.find('volume', name)],
  snapshotList: (cluster, name) => [cluster.find('snapshot', name)],
  volumeInfo: (cluster, name) => info(cluster, 'volume', name),
  snapshotInfo: (cluster, name) => info(cluster, 'snapshot', name),
  volumeDescribe: (cluster, name) => describe(cluster, 'volume', name),
  snapshotDescribe: (cluster, name) => describe(cluster, 'snapshot', name),
  volumesAndSnapshotsList: ({ volumes, snapshots }) => ({ volumes, snapshots }),
  volumesSpace,
  volumesGetStatus,
  volumesReassign: (cluster, _name, body) => volumesReassign(cluster, body),
  volumesReassignWait: (cluster, _name, body) => volumesReassignWait(cluster, body),
  volumeCreate: (cluster, _name, body) => volumeCreate(cluster, body),
  volumeUpdate,
  volumeRevert,
  volumeDelete,
  volumeFreeze,
  // The volume is here already.
  volumeAcquire: (cluster, name) => void cluster.find('volume', name),
  volumesGroupSnapshot: (cluster, _name, body) => volumesGroupSnapshot(cluster, body),
  snapshotFromRemote: () => {
    throw invalid(
      "The fake has no snapshots of other locations: let fake.on('SnapshotFromRemote', handler) answer.",
    );
  },
  snapshotCreate,
  snapshotDelete,
  snapshotUpdate,
  disksList: ({ disks }) => Object.fromEntries(disks.map((disk) => [disk.id, disk])),
  volumeTemplatesList: ({ templates }) => [...templates.values()],
  volumeTemplateDescribe: (cluster, name) => cluster.template(name),
  volumeTemplatesStatus,
  volumeTemplateCreate: (cluster, _name, body) => volumeTemplateCreate(cluster, body),
  volumeTemplateDelete,
  placementGroupDescribe,
  servicesList,
  clientConfigWait,
  tasksList: () => [],
  iSCSIConfig: ({ iscsi }) => ({ iscsi }),
  iSCSIConfigChange: (cluster, _name, body) => iSCSIConfigChange(cluster, body),
};

/** The `data` of the reply. */
export async function carryOut(
  cluster: FakeCluster,
  call: ApiCallName,
  name: string,
  body: unknown,
): Promise<unknown> {
  const result = HANDLERS[call](cluster, name, body);
  if (CALLS[call].method === 'GET') return result;
  cluster.generation++;
  return { ok: true, generation: cluster.generation, ...(result as object | undefined) };
}
