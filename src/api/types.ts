/** A size in bytes, a multiple of the sector size (512). */
export type Bytes = number;

/** Short name and value pairs kept with a volume or snapshot. The drivers use `virt` and `qc` among others. */
export type Tags = Record<string, string>;

/** What volumes and snapshots have in common. Fields that a newer service adds are kept. */
export interface VolumeSummaryBase {
  name: string;
  /** The identifier that stays through renames, as `a.b.cd`; where a name is asked for it is given as `~a.b.cd`. */
  globalId?: string;
  size?: Bytes;
  /** Number of copies. */
  replication?: number;
  templateName?: string;
  /** The snapshot that it is based on; empty without one. */
  parentName?: string;
  placeAll?: string;
  placeTail?: string;
  placeHead?: string;
  /** Limit in KB/s; 0 without one. */
  bw?: number | '-';
  /** Limit in operations/s; 0 without one. */
  iops?: number | '-';
  /** Seconds since 1970. */
  creationTimestamp?: number;
  objectsCount?: number;
  visibleVolumeId?: number;
  tags?: Tags;
  /** Multi-cluster calls only: where it is at present. */
  clusterName?: string;
  clusterId?: string;
  reuseServer?: boolean;
  [field: string]: unknown;
}

/** A volume, as `volumesList()` and `volumeList()` give it. */
export interface Volume extends VolumeSummaryBase {}

/** A snapshot, as `snapshotsList()` and `snapshotList()` give it. */
export interface Snapshot extends VolumeSummaryBase {
  /** The volume that it is the parent of, if there is one. */
  onVolume?: string;
  autoName?: boolean;
  /** Deleted as soon as nothing is based on it. */
  bound?: boolean;
  deleted?: boolean;
  /** Made by the service itself while it clones; cannot be attached. */
  transient?: boolean;
  /** Seconds since 1970. */
  targetDeleteDate?: number;
  recoveringFromRemote?: boolean;
}

/** A volume and how its data lies on the disks. */
export interface VolumeInfo extends Volume {
  disksCount?: number;
  objectsPerDisk?: Record<string, number>;
  objectsPerChain?: { disks: number[]; count: number }[];
  objectsPerDiskSet?: { disks: number[]; count: number }[];
}

/** The rights of an attachment in the words of the API. */
export type AttachmentRights = 'rw' | 'ro';

/** A volume or snapshot attached to a client. */
export interface Attachment {
  /** The name of the volume, or of the snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The ID of the client (the host) that has it. */
  client: number;
  rights: AttachmentRights;
  /** Its position on the client. */
  pos?: number;
  globalId?: string;
  cluster?: string;
  clusterId?: string;
  [field: string]: unknown;
}

interface Reassign {
  /** Clients that lose it, or all that have it. */
  detach?: readonly number[] | 'all' | undefined;
  /** Clients that get it read-only. */
  ro?: readonly number[] | undefined;
  /** Detach even what is open: its user loses what it has not written. Default: `false`. */
  force?: boolean | undefined;
}

/** Changes who has a volume attached. It is named as usual, or by its global ID, as `~a.b.cd`. */
export interface VolumeReassign extends Reassign {
  volume: string;
  snapshot?: never;
  /** Clients that get it read/write. */
  rw?: readonly number[] | undefined;
  /** Also attach what another cluster has exported. */
  allowRemoteExported?: boolean | undefined;
  /** What to do where it is attached in a remote cluster. Multi-cluster calls only. */
  onRemoteAttached?: string | undefined;
}

/** Changes who has a snapshot attached; a snapshot is never read/write. */
export interface SnapshotReassign extends Reassign {
  snapshot: string;
  volume?: never;
  rw?: never;
}

/** One entry of `volumesReassign()`: a volume or a snapshot, never both. */
export type ReassignEntry = VolumeReassign | SnapshotReassign;

/** The argument of `volumesReassignWait()`. */
export interface ReassignWait {
  reassign: readonly ReassignEntry[];
  /** Seconds to wait for clients that are away; 0 not at all. Default: without end. */
  attachTimeout?: number | undefined;
}

/** The settings that volumes get when they are made or changed. */
export interface VolumePolicy {
  placeAll?: string | undefined;
  placeTail?: string | undefined;
  placeHead?: string | undefined;
  replication?: number | undefined;
  /** KB/s */
  bw?: number | '-' | undefined;
  /** operations/s */
  iops?: number | '-' | undefined;
  reuseServer?: boolean | undefined;
  tags?: Tags | undefined;
}

/** The argument of `volumeCreate()`. */
export interface VolumeCreate extends VolumePolicy {
  name: string;
  /** Default: the size of the parent. */
  size?: Bytes | undefined;
  /** The snapshot to base it on. */
  parent?: string | undefined;
  /** The volume to copy. */
  baseOn?: string | undefined;
  template?: string | undefined;
}

/** The argument of `volumeUpdate()`: only what is to change. */
export interface VolumeUpdate extends VolumePolicy {
  rename?: string | undefined;
  size?: Bytes | undefined;
  sizeAdd?: Bytes | undefined;
  template?: string | undefined;
  /** Allow a size below the present one: what lies behind it is lost. */
  shrinkOk?: boolean | undefined;
}

/** The argument of `volumeRevert()`. */
export interface VolumeRevert {
  toSnapshot: string;
  /** Also take the size of the snapshot. */
  revertSize?: boolean | undefined;
}

/** The argument of `snapshotCreate()`. */
export interface SnapshotCreate {
  /** Default: a name that the service makes up, `autoName` of the result. */
  name?: string | undefined;
  /** Delete it as soon as nothing is based on it. */
  bind?: boolean | undefined;
  /** Seconds since 1970 */
  targetDeleteDate?: number | undefined;
  /** Seconds from now */
  deleteAfter?: number | undefined;
  tags?: Tags | undefined;
}

/** The argument of `snapshotUpdate()`: only what is to change. */
export interface SnapshotUpdate extends VolumePolicy {
  rename?: string | undefined;
  template?: string | undefined;
  bind?: boolean | undefined;
  /** Seconds since 1970; 0 for never */
  targetDeleteDate?: number | undefined;
  /** Seconds from now; 0 for never */
  deleteAfter?: number | undefined;
}

/** The answer to a call that changes something. */
export interface ApiOk {
  ok: true;
  /** Counts the changes of the configuration since the cluster was made. */
  generation?: number;
  info?: string;
  [field: string]: unknown;
}

/** The answer to `volumeCreate()`. */
export interface VolumeCreated extends ApiOk {
  /** The transient snapshot that was needed for it. */
  autoName?: string;
  globalId?: string;
}

/** The answer to `snapshotCreate()`. */
export interface SnapshotCreated extends ApiOk {
  autoName?: string;
  snapshotGlobalId?: string;
  snapshotVisibleVolumeId?: number;
}

/** A template of settings for volumes. */
export interface VolumeTemplate extends VolumePolicy {
  name: string;
  parentName?: string;
  size?: Bytes | '-';
  [field: string]: unknown;
}

/** A disk of the cluster. */
export interface Disk {
  id: number;
  serverId?: number;
  /** -1 while the disk is up. */
  generationLeft?: number;
  /** Allocation groups: all of them, those in use, those free. */
  agCount?: number;
  agAllocated?: number;
  agFree?: number;
  model?: string;
  serial?: string;
  description?: string;
  [field: string]: unknown;
}

/** All disks by their IDs. */
export type Disks = Record<string, Disk>;

/** The iSCSI part of the cluster's configuration. */
export interface ISCSIConfig {
  iscsi: {
    baseName?: string;
    initiators?: Record<string, Record<string, unknown>>;
    portalGroups?: Record<string, Record<string, unknown>>;
    targets?: Record<string, Record<string, unknown>>;
    [field: string]: unknown;
  };
}

/** One change of the iSCSI configuration: a single member, whose name says what to do. */
export type ISCSICommand = Record<string, Record<string, unknown>>;

/** The argument of `iSCSIConfigChange()`. */
export interface ISCSIConfigChange {
  commands: readonly ISCSICommand[];
}
