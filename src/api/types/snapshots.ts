import type {
  ApiOk,
  DeletionTime,
  DiskUsage,
  Placement,
  PlacementGroups,
  Tags,
  Volume,
  VolumePolicy,
  VolumeSummaryBase,
} from './volumes.js';

/** A snapshot, as `snapshotsList()` and `snapshotList()` return it. */
export interface Snapshot extends VolumeSummaryBase {
  /** The volume that it is the parent of, if there is one. */
  onVolume?: string;
  /** Whether the service chose its name. */
  autoName?: boolean;
  /** Whether it is deleted as soon as nothing is based on it. */
  bound?: boolean;
  /** Whether it is being deleted. */
  deleted?: boolean;
  /** Whether the service made it while cloning; such a snapshot cannot be attached. */
  transient?: boolean;
  /** Seconds since 1970. */
  targetDeleteDate?: number;
  /** Whether its data is still coming from another location. */
  recoveringFromRemote?: boolean;
}

/** The argument of `snapshotCreate()`. */
export interface SnapshotCreate extends DeletionTime {
  /** Default: the service chooses one, `autoName` of the result. */
  name?: string | undefined;
  /** Delete it as soon as nothing is based on it. */
  bind?: boolean | undefined;
  /** Its tags. */
  tags?: Tags | undefined;
  /** Multi-cluster setups only: passed on unchanged. */
  mcMode?: string | undefined;
}

/** The argument of `snapshotUpdate()`: only what should change. */
export interface SnapshotUpdate extends VolumePolicy, DeletionTime {
  /** The new name. */
  rename?: string | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
  /** Whether to delete it as soon as nothing is based on it. */
  bind?: boolean | undefined;
}

/** The answer to `snapshotCreate()`. */
export interface SnapshotCreated extends ApiOk {
  /** The name that the service chose, if none was given. */
  autoName?: string;
  /** The global ID of the new snapshot, without `~`. */
  snapshotGlobalId?: string;
  /** The number that the service gave it. */
  snapshotVisibleVolumeId?: number;
}

/** A snapshot and how its data is spread over the disks, as `snapshotInfo()` returns it. */
export interface SnapshotInfo extends Snapshot, DiskUsage {}

/** A snapshot and where its data is, as `snapshotDescribe()` returns it. */
export interface SnapshotDescription extends Snapshot, Placement {}

/** What `volumesAndSnapshotsList()` returns. */
export interface VolumesAndSnapshots {
  /** All volumes. */
  volumes: Volume[];
  /** All snapshots; missing if there are none. */
  snapshots?: Snapshot[];
  [field: string]: unknown;
}

/** The argument of `volumesGroupSnapshot()`. */
export interface GroupSnapshot {
  /** The volumes. */
  volumes: readonly {
    /** The name of the volume. */
    volume: string;
    /** The name of its snapshot. Default: the service chooses one. */
    name?: string | undefined;
  }[];
  /** The tags of all the snapshots. */
  tags?: Tags | undefined;
}

/** The answer to `volumesGroupSnapshot()`. */
export interface GroupSnapshotCreated {
  /** One for each volume. */
  snapshots: {
    /** The name of the volume. */
    volume: string;
    /** The global ID of the volume, without `~`. */
    volumeGlobalId?: string;
    /** The name of the snapshot. */
    snapshot?: string;
    /** The global ID of the snapshot, without `~`. */
    snapshotGlobalId?: string;
    /** The ID by which other locations know the snapshot. */
    remoteId?: string;
    [field: string]: unknown;
  }[];
  [field: string]: unknown;
}

/** The argument of `snapshotFromRemote()`. */
export interface SnapshotFromRemote extends PlacementGroups {
  /** The name of the location that has the snapshot. */
  remoteLocation: string;
  /** The global ID of the snapshot there, without `~`. */
  remoteId: string;
  /** The name of the copy. Default: none; it has only its global ID. */
  name?: string | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
  /** Number of copies. */
  replication?: number | undefined;
  /** Whether to export the copy immediately. */
  export?: boolean | undefined;
  /** Its tags. */
  tags?: Tags | undefined;
  /** Multi-cluster setups only: passed on unchanged. */
  mcMode?: string | undefined;
}
