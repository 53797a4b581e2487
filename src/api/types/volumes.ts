/** A size in bytes, a multiple of the sector size (512). */
export type Bytes = number;

/** Short name and value pairs kept with a volume or snapshot. The drivers use `virt` and `qc` among others. */
export type Tags = Record<string, string>;

/** The placement groups that the copies of a volume or snapshot lie in. */
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
  /** Its name; where it has none, its global ID, for example `~a.b.cd`. */
  name: string;
  /** The identifier that stays through renames, for example `a.b.cd`; where a name is asked for it is given as `~a.b.cd`. */
  globalId?: string;
  /** Its size. */
  size?: Bytes;
  /** Number of copies. */
  replication?: number;
  /** The template that its settings come from; empty without one. */
  templateName?: string;
  /** The snapshot that it is based on; empty without one. */
  parentName?: string;
  /** Limit in KB/s; 0 without one. */
  bw?: number | '-';
  /** Limit in operations/s; 0 without one. */
  iops?: number | '-';
  /** Seconds since 1970. */
  creationTimestamp?: number;
  /** Number of the objects that its data is kept in. */
  objectsCount?: number;
  /** The number that the service gave it when it was made. */
  visibleVolumeId?: number;
  /** Its tags. */
  tags?: Tags;
  /** Multi-cluster calls only: where it is at present. */
  clusterName?: string;
  /** Multi-cluster calls only: the ID of that cluster. */
  clusterId?: string;
  /** Whether several copies may lie on one server. */
  reuseServer?: boolean;
  [field: string]: unknown;
}

/** A volume, as `volumesList()` and `volumeList()` give it. */
export interface Volume extends VolumeSummaryBase {}

/** How many objects of a volume lie on the same disks. */
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
  /** Number of objects by the IDs of the disks. */
  objectsPerDisk?: Record<string, number>;
  /** How many objects lie on each sequence of disks. */
  objectsPerChain?: ObjectsOnDisks[];
  /** How many objects lie on each set of disks. */
  objectsPerDiskSet?: ObjectsOnDisks[];
}

/** A volume and how its data is spread over the disks, as `volumeInfo()` gives it. */
export interface VolumeInfo extends Volume, DiskUsage {}

/** The settings that volumes get when they are made or changed. */
export interface VolumePolicy extends PlacementGroups {
  /** Number of copies. */
  replication?: number | undefined;
  /** KB/s */
  bw?: number | '-' | undefined;
  /** operations/s */
  iops?: number | '-' | undefined;
  /** Whether several copies may lie on one server. */
  reuseServer?: boolean | undefined;
  /** Tags to add; an empty string removes its tag. */
  tags?: Tags | undefined;
  /** Multi-cluster setups only: passed on as it is. */
  mcMode?: string | undefined;
}

/** The argument of `volumeCreate()`. */
export interface VolumeCreate extends VolumePolicy {
  /** A name that is free. Default: none, the volume has only its global ID. */
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

/** The argument of `volumeUpdate()`: only what is to change. */
export interface VolumeUpdate extends VolumePolicy {
  /** The new name. */
  rename?: string | undefined;
  /** The new size. */
  size?: Bytes | undefined;
  /** How much larger to make it. */
  sizeAdd?: Bytes | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
  /** Allow a size below the present one: what lies behind it is lost. */
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
  /** Always `true`: what fails is an {@link ApiError}. */
  ok: true;
  /** Counts the changes of the configuration since the cluster was made. */
  generation?: number;
  /** What else the service has to say. */
  info?: string;
  [field: string]: unknown;
}

/** The answer to `volumeCreate()`. */
export interface VolumeCreated extends ApiOk {
  /** The name of the new volume; without one its global ID, for example `~a.b.cd`. */
  name?: string;
  /** The transient snapshot that was needed for it. */
  autoName?: string;
  /** The global ID of the new volume, without `~`. */
  globalId?: string;
}

/** What becomes of the attachments of a volume that is deleted, moved or attached elsewhere. */
export type OnAttached = 'fail' | 'detach' | 'detachForce' | 'export';

/** What `volumeDelete()` takes besides the options of every call. */
export interface VolumeDelete {
  /** What to do with a volume that is attached. Default: `fail`. */
  onAttached?: OnAttached | undefined;
}

/** When a snapshot is deleted by itself. */
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

/** Where the data of a volume or snapshot lies; lists of the IDs of disks. */
export interface Placement {
  /** The sets of disks that it is meant to lie on. */
  targetDiskSets?: number[][];
  /** The disks that each object lies on. */
  objects?: number[][];
}

/** A volume and where its data lies, as `volumeDescribe()` gives it. */
export interface VolumeDescription extends Volume, Placement {}

/** How much data a volume or snapshot has; without the copies that the cluster keeps. */
export interface SpaceUsed {
  /** Bytes of data in the volume itself. */
  storedSize?: number;
  /** Bytes of data in the volume and in all that it is based on. */
  spaceUsed?: number;
}

/** A volume and how much data it has, as `volumesSpace()` gives it. */
export interface VolumeSpace extends Volume, SpaceUsed {}

/** The state of a volume or snapshot, as `volumesGetStatus()` gives it. */
export interface VolumeStatus
  extends Pick<VolumeSummaryBase, 'name' | 'size' | 'replication' | 'tags' | 'clusterName' | 'clusterId'> {
  /** Whether it is a snapshot. */
  snapshot?: boolean;
  /** `up soon`: a disk that came back is catching up. `data lost`: the last copy of something is gone. */
  status?: 'up' | 'up soon' | 'data lost' | 'down';
  /** Whether its data is being moved. */
  migrating?: boolean;
  /** Whether a copy is missing. */
  decreasedRedundancy?: boolean;
  /** Whether it cannot be balanced. */
  balancerBlocked?: boolean;
  /** Bytes of data, without copies. */
  storedSize?: number;
  /** Bytes on the disks, with all copies. */
  onDiskSize?: number;
  /** Bytes in the objects that are catching up. */
  syncingDataBytes?: number;
  /** Number of the objects that are catching up. */
  syncingMetaObjects?: number;
  /** Bytes that cannot be reached. */
  downBytes?: number;
  /** The IDs of the disks that it needs and that are down. */
  downDrives?: number[];
  /** The IDs of the disks that are down, while other copies serve. */
  missingDrives?: number[];
  /** The IDs of the disks that it should lie on and that are down. */
  missingTargetDrives?: number[];
  /** The IDs of its disks that are being emptied. */
  softEjectingDrives?: number[];
  [field: string]: unknown;
}
