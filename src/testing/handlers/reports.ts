import type { ClientConfigStatus, ClusterService, ClusterStatus, PlacementGroup } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import type { FakeVolume, ObjectKind } from '../cluster/objects.js';
import { absent, invalid } from '../refusal.js';

const VERSION = '21.0.0';
const START_TIME = 1_700_000_000;

/** One object, and how it is spread over the disks; a fake stores nothing. */
export const info = (cluster: FakeCluster, kind: ObjectKind, name: string) => ({
  ...cluster.find(kind, name),
  disksCount: cluster.disks.length,
  objectsPerDisk: {},
  objectsPerChain: [],
  objectsPerDiskSet: [],
});

/** One object, and the disks of each of its parts: the first disks that are up. */
export function describe(cluster: FakeCluster, kind: ObjectKind, name: string) {
  const object = cluster.find(kind, name);
  const up = cluster.disks.filter(({ generationLeft }) => generationLeft === -1).map(({ id }) => id);
  const disks = up.slice(0, object.replication);
  return { ...object, targetDiskSets: [disks], objects: Array(object.objectsCount).fill(disks) };
}

/** The sizes in the options, if there are any. */
export const volumesSpace = ({ volumes }: FakeCluster) =>
  volumes.map((volume) => ({ storedSize: 0, spaceUsed: 0, ...volume }));

export function volumesGetStatus({ volumes, snapshots }: FakeCluster) {
  const status = (object: FakeVolume, snapshot: boolean) => [
    object.name,
    {
      name: object.name,
      snapshot,
      size: object.size,
      replication: object.replication,
      status: 'up',
      migrating: false,
      decreasedRedundancy: false,
      balancerBlocked: false,
      storedSize: 0,
      onDiskSize: 0,
      syncingDataBytes: 0,
      syncingMetaObjects: 0,
      downBytes: 0,
      downDrives: [],
      missingDrives: [],
      missingTargetDrives: [],
      softEjectingDrives: [],
      tags: object.tags,
    },
  ];
  return Object.fromEntries([
    ...volumes.map((volume) => status(volume, false)),
    ...snapshots.map((snapshot) => status(snapshot, true)),
  ]);
}

export function servicesList({ disks, clients, attachments }: FakeCluster): ClusterStatus {
  const service = (id: number, isUp = true): ClusterService => ({
    id,
    nodeId: id,
    status: isUp ? 'running' : 'down',
    version: VERSION,
    startTime: isUp ? START_TIME : null,
  });
  const byId = <T extends ClusterService>(services: T[]) =>
    Object.fromEntries(services.map((one) => [one.id, one]));
  const clientIds = new Set([...clients.named, ...attachments.map(({ client }) => client)]);
  const serverIds = new Set(disks.flatMap(({ serverId }) => serverId ?? []));
  return {
    clusterStatus: 'running',
    mgmt: { 1: { ...service(1), active: true } },
    clients: byId([...clientIds].map((id) => service(id, clients.isOnline(id)))),
    servers: byId([...serverIds].map((id) => ({ ...service(id), missingDisks: [], pendingDisks: [] }))),
    bridges: {},
  };
}

/** Resolves once the client is online. */
export async function clientConfigWait(cluster: FakeCluster, name: string): Promise<ClientConfigStatus[]> {
  const id = Number(name);
  if (!Number.isInteger(id) || id < 1) throw invalid(`'${name}' is not a client ID.`);
  cluster.clients.checkRegistered(id);
  const { generation } = cluster;
  await cluster.clients.untilOnline([id], Number.POSITIVE_INFINITY);
  return [{ id, generation, clientGeneration: generation, configStatus: 'ok', delay: 0 }];
}

/** Every placement group that is in use has all disks. */
export function placementGroupDescribe(cluster: FakeCluster, name: string): PlacementGroup {
  const { volumes, snapshots, templates, disks } = cluster;
  const isUsed = [...templates.values(), ...volumes, ...snapshots].some(
    ({ placeAll, placeTail, placeHead }) => [placeAll, placeTail, placeHead].includes(name),
  );
  if (!isUsed) throw absent('Placement group', name);
  return { name, disks: disks.map(({ id }) => id) };
}
