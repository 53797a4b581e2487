import { isName } from '../../api/names.js';
import type { Disk, VolumeTemplate, VolumeTemplateCreate, VolumeTemplateStatus } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { makeTemplate } from '../cluster/objects.js';
import { checkFields, POLICY, size, string } from '../fields.js';
import { busy, exists, invalid } from '../refusal.js';

const GROUP_SIZE = 512 * 1024 ** 2;

export function volumeTemplateCreate(cluster: FakeCluster, body: unknown): void {
  const {
    name,
    parent,
    mcMode: _,
    ...rest
  } = checkFields<VolumeTemplateCreate>(
    body,
    { ...POLICY, 'name!': string, parent: string, size },
    'VolumeTemplateCreate',
  );
  if (!isName('template', name)) throw invalid(`'${name}' is not a name for a template.`);
  if (cluster.templates.has(name)) throw exists('Template', name);
  const parentName = parent === undefined ? '' : cluster.find('snapshot', parent).name;
  cluster.templates.set(name, makeTemplate({ ...rest, name, parentName }));
}

export function volumeTemplateDelete(cluster: FakeCluster, name: string): void {
  const template = cluster.template(name);
  const [user] = usersOf(cluster, template).all;
  if (user !== undefined) throw busy(`Template '${name}' is in use by '${user.name}'.`);
  cluster.templates.delete(name);
}

/** The space of each template. Disks hold what the options say, by default nothing. */
export function volumeTemplatesStatus(cluster: FakeCluster): VolumeTemplateStatus[] {
  const up = cluster.disks.filter(({ generationLeft }) => generationLeft === -1);
  const sum = (field: 'agCount' | 'agFree') =>
    up.reduce((total: number, disk: Disk) => total + (disk[field] ?? 0) * GROUP_SIZE, 0);
  const [capacity, free] = [sum('agCount'), sum('agFree')];
  return [...cluster.templates.values()].map((template) => {
    const { volumes, snapshots, all } = usersOf(cluster, template);
    const bytes = all.reduce((total, one) => total + one.size, 0);
    const { name, placeAll, placeTail, placeHead, replication = 1 } = template;
    const estimate = { free: Math.floor(free / replication), capacity: Math.floor(capacity / replication) };
    return {
      name,
      placeAll: String(placeAll),
      placeTail: String(placeTail),
      placeHead: String(placeHead),
      replication,
      volumesCount: volumes.length,
      snapshotsCount: snapshots.length,
      removingSnapshotsCount: 0,
      size: bytes,
      totalSize: bytes * replication,
      storedSize: 0,
      onDiskSize: 0,
      availablePlaceAll: free,
      availablePlaceTail: free,
      availablePlaceHead: free,
      capacityPlaceAll: capacity,
      capacityPlaceTail: capacity,
      capacityPlaceHead: capacity,
      stored: { ...estimate, placeAll: estimate, placeTail: estimate, placeHead: estimate },
    };
  });
}

function usersOf({ volumes, snapshots }: FakeCluster, { name }: VolumeTemplate) {
  const uses = ({ templateName }: { templateName: string }) => templateName === name;
  const used = { volumes: volumes.filter(uses), snapshots: snapshots.filter(uses) };
  return { ...used, all: [...used.volumes, ...used.snapshots] };
}
