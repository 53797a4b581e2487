/** A size in bytes, a multiple of the sector size (512). */
export type Bytes = number;

/** Names and values stored with a volume or snapshot. The drivers use `virt` and `qc`, among others. */
export type Tags = Record<string, string>;

/** The placement groups of a volume or snapshot. */
export interface PlacementGroups {
  /** The placement group of all copies that have no group of their own. */
  placeAll?: string | undefined;
  /** The placement group of the last copy, the one that is read. */
  placeTail?: string | undefined;
  /** The placement group of the first copy. */
  placeHead?: string | undefined;
}

/** What volumes and snapshots have in common. Fields that a newer service adds are kept. */
export interface VolumeSummaryBase extends PlacementGroups {
  /** Its name; if it has none, its global ID, for example `~a.b.cd`. */
  name: string;
  /** An ID that never changes, for example `a.b.cd`. Where a name is expected, write it as `~a.b.cd`. */
  globalId?: string;
  /** Its size. */
  size?: Bytes;
  /** Number of copies. */
  replication?: number;
  /** The template that its settings come from; empty if there is none. */
  templateName?: string;
  /** The snapshot that it is based on; empty if there is none. */
  parentName?: string;
  /** Limit in KB/s; 0 for none. */
  bw?: number | '-';
  /** Limit in operations/s; 0 for none. */
  iops?: number | '-';
  /** Seconds since 1970. */
  creationTimestamp?: number;
  /** Number of objects that store its data. */
  objectsCount?: number;
  /** The number that the service gave it at creation. */
  visibleVolumeId?: number;
  /** Its tags. */
  tags?: Tags;
  /** Multi-cluster calls only: the name of the cluster that it is in. */
  clusterName?: string;
  /** Multi-cluster calls only: the ID of that cluster. */
  clusterId?: string;
  /** Whether several copies may be on one server. */
  reuseServer?: boolean;
  [field: string]: unknown;
}

/** A volume, as `volumesList()` and `volumeList()` return it. */
export interface Volume extends VolumeSummaryBase {}

/** How many objects of a volume are on the same disks. */
export interface ObjectsOnDisks {
  /** The IDs of the disks. */
  disks: number[];
  /** Number of objects. */
  count: number;
}

/** How the data of a volume or snapshot is spread over the disks. */
export interface DiskUsage {
  /** Number of disks that hold some of it. */
  disksCount?: number;
  /** Number of objects, by disk ID. */
  objectsPerDisk?: Record<string, number>;
  /** How many objects are on each sequence of disks. */
  objectsPerChain?: ObjectsOnDisks[];
  /** How many objects are on each set of disks. */
  objectsPerDiskSet?: ObjectsOnDisks[];
}

/** A volume and how its data is spread over the disks, as `volumeInfo()` returns it. */
export interface VolumeInfo extends Volume, DiskUsage {}

/** The settings of a volume that can be given and changed. */
export interface VolumePolicy extends PlacementGroups {
  /** Number of copies. */
  replication?: number | undefined;
  /** Limit in KB/s; `-` for none. */
  bw?: number | '-' | undefined;
  /** Limit in operations/s; `-` for none. */
  iops?: number | '-' | undefined;
  /** Whether several copies may be on one server. */
  reuseServer?: boolean | undefined;
  /** Tags to add; an empty value removes the tag. */
  tags?: Tags | undefined;
  /** Multi-cluster setups only: passed on unchanged. */
  mcMode?: string | undefined;
}

/** The argument of `volumeCreate()`. */
export interface VolumeCreate extends VolumePolicy {
  /** A name that is not in use. Default: none; the volume has only its global ID. */
  name?: string | undefined;
  /** Default: the size of the parent. */
  size?: Bytes | undefined;
  /** The snapshot to base it on. */
  parent?: string | undefined;
  /** The volume to copy. */
  baseOn?: string | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
}

/** The argument of `volumeUpdate()`: only what should change. */
export interface VolumeUpdate extends VolumePolicy {
  /** The new name. */
  rename?: string | undefined;
  /** The new size. */
  size?: Bytes | undefined;
  /** How much to add to the size. */
  sizeAdd?: Bytes | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
  /** Allow it to shrink: data beyond the new size is lost. */
  shrinkOk?: boolean | undefined;
}

/** The argument of `volumeRevert()`. */
export interface VolumeRevert {
  /** The name of the snapshot. */
  toSnapshot: string;
  /** Also take the size of the snapshot. */
  revertSize?: boolean | undefined;
}

/** The answer to a call that changes something. */
export interface ApiOk {
  /** Always `true`: a call that fails throws an {@link ApiError}. */
  ok: true;
  /** Number of changes of the configuration since the cluster was created. */
  generation?: number;
  /** A remark of the service. */
  info?: string;
  [field: string]: unknown;
}

/** The answer to `volumeCreate()`. */
export interface VolumeCreated extends ApiOk {
  /** The name of the new volume; if it has none, its global ID, for example `~a.b.cd`. */
  name?: string;
  /** The transient snapshot that the service made for it. */
  autoName?: string;
  /** The global ID of the new volume, without `~`. */
  globalId?: string;
}

/** What to do with the attachments of a volume that is deleted, moved or attached elsewhere. */
export type OnAttached = 'fail' | 'detach' | 'detachForce' | 'export';

/** What `volumeDelete()` takes besides the options of every call. */
export interface VolumeDelete {
  /** What to do with a volume that is attached. Default: `fail`. */
  onAttached?: OnAttached | undefined;
}

/** When the service deletes a snapshot. */
export interface DeletionTime {
  /** When to delete the snapshot, in seconds since 1970; 0 for never. */
  targetDeleteDate?: number | undefined;
  /** When to delete the snapshot, in seconds from now; 0 for never. */
  deleteAfter?: number | undefined;
}

/** The argument of `volumeFreeze()`: the snapshot that it makes. */
export interface VolumeFreeze extends DeletionTime {}

/** The argument of `volumeAcquire()`. */
export interface VolumeAcquire {
  /** What to do with a volume that is attached in the other cluster. Default: `fail`. */
  onRemoteAttached?: OnAttached | undefined;
}

/** The disks that hold a volume or snapshot, by their IDs. */
export interface Placement {
  /** The sets of disks that it should be on. */
  targetDiskSets?: number[][];
  /** The disks that each object is on. */
  objects?: number[][];
}

/** A volume and where its data is, as `volumeDescribe()` returns it. */
export interface VolumeDescription extends Volume, Placement {}

/** How much data a volume or snapshot holds, not counting copies. */
export interface SpaceUsed {
  /** Bytes of data in the volume itself. */
  storedSize?: number;
  /** Bytes of data in the volume and in everything that it is based on. */
  spaceUsed?: number;
}

/** A volume and how much data it holds, as `volumesSpace()` returns it. */
export interface VolumeSpace extends Volume, SpaceUsed {}

/** The state of a volume or snapshot, as `volumesGetStatus()` returns it. */
export interface VolumeDataStatus
  extends Pick<VolumeSummaryBase, 'name' | 'size' | 'replication' | 'tags' | 'clusterName' | 'clusterId'> {
  /** Whether it is a snapshot. */
  snapshot?: boolean;
  /** `up soon`: a disk that came back is catching up. `data lost`: some data has no copy left. */
  status?: 'up' | 'up soon' | 'data lost' | 'down';
  /** Whether its data is being moved. */
  migrating?: boolean;
  /** Whether a copy is missing. */
  decreasedRedundancy?: boolean;
  /** Whether it cannot be balanced. */
  balancerBlocked?: boolean;
  /** Bytes of data, not counting copies. */
  storedSize?: number;
  /** Bytes on the disks, counting all copies. */
  onDiskSize?: number;
  /** Bytes in objects that are catching up. */
  syncingDataBytes?: number;
  /** Number of objects that are catching up. */
  syncingMetaObjects?: number;
  /** Bytes that are not available. */
  downBytes?: number;
  /** The IDs of disks that it needs and that are down. */
  downDrives?: number[];
  /** The IDs of disks that are down, but whose data has other copies. */
  missingDrives?: number[];
  /** The IDs of disks that it should be on and that are down. */
  missingTargetDrives?: number[];
  /** The IDs of its disks that are being emptied for removal. */
  softEjectingDrives?: number[];
  [field: string]: unknown;
}
