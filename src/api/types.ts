/** A size in bytes, a multiple of the sector size (512). */
export type Bytes = number;

/** Short name and value pairs kept with a volume or snapshot. The drivers use `virt` and `qc` among others. */
export type Tags = Record<string, string>;

/** What volumes and snapshots have in common. Fields that a newer service adds are kept. */
export interface VolumeSummaryBase {
  /** Its name; where it has none, its global ID, as `~a.b.cd`. */
  name: string;
  /** The identifier that stays through renames, as `a.b.cd`; where a name is asked for it is given as `~a.b.cd`. */
  globalId?: string;
  /** Its size. */
  size?: Bytes;
  /** Number of copies. */
  replication?: number;
  /** The template that its settings come from; empty without one. */
  templateName?: string;
  /** The snapshot that it is based on; empty without one. */
  parentName?: string;
  /** The placement group of all copies that have no group of their own. */
  placeAll?: string;
  /** The placement group of the last copy, the one that is read. */
  placeTail?: string;
  /** The placement group of the first copy. */
  placeHead?: string;
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

/** A snapshot, as `snapshotsList()` and `snapshotList()` give it. */
export interface Snapshot extends VolumeSummaryBase {
  /** The volume that it is the parent of, if there is one. */
  onVolume?: string;
  /** Whether the service made up its name. */
  autoName?: boolean;
  /** Deleted as soon as nothing is based on it. */
  bound?: boolean;
  /** Whether it is being deleted. */
  deleted?: boolean;
  /** Made by the service itself while it clones; cannot be attached. */
  transient?: boolean;
  /** Seconds since 1970. */
  targetDeleteDate?: number;
  /** Whether its data is still coming from another location. */
  recoveringFromRemote?: boolean;
}

/** How many objects of a volume lie on the same disks. */
export interface ObjectsOnDisks {
  /** The IDs of the disks. */
  disks: number[];
  /** Number of objects. */
  count: number;
}

/** A volume and how its data lies on the disks. */
export interface VolumeInfo extends Volume {
  /** Number of disks that hold some of it. */
  disksCount?: number;
  /** Number of objects by the IDs of the disks. */
  objectsPerDisk?: Record<string, number>;
  /** How many objects lie on each sequence of disks. */
  objectsPerChain?: ObjectsOnDisks[];
  /** How many objects lie on each set of disks. */
  objectsPerDiskSet?: ObjectsOnDisks[];
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
  /** Always `ro` for a snapshot. */
  rights: AttachmentRights;
  /** Its position on the client. */
  pos?: number;
  /** The global ID of the volume or snapshot, without `~`. */
  globalId?: string;
  /** Multi-cluster calls only: the name of the cluster that it is attached in. */
  cluster?: string;
  /** Multi-cluster calls only: the ID of that cluster. */
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
  /** The name of the volume. */
  volume: string;
  /** An entry for a volume names no snapshot. */
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
  /** The name of the snapshot. */
  snapshot: string;
  /** An entry for a snapshot names no volume. */
  volume?: never;
  /** A snapshot is never read/write. */
  rw?: never;
}

/** One entry of `volumesReassign()`: a volume or a snapshot, never both. */
export type ReassignEntry = VolumeReassign | SnapshotReassign;

/** The argument of `volumesReassignWait()`. */
export interface ReassignWait {
  /** The changes, as for `volumesReassign()`. */
  reassign: readonly ReassignEntry[];
  /** Seconds to wait for clients that are away; 0 not at all. Default: without end. */
  attachTimeout?: number | undefined;
}

/** The settings that volumes get when they are made or changed. */
export interface VolumePolicy {
  /** The placement group of all copies that have no group of their own. */
  placeAll?: string | undefined;
  /** The placement group of the last copy, the one that is read. */
  placeTail?: string | undefined;
  /** The placement group of the first copy. */
  placeHead?: string | undefined;
  /** Number of copies. */
  replication?: number | undefined;
  /** KB/s */
  bw?: number | '-' | undefined;
  /** operations/s */
  iops?: number | '-' | undefined;
  /** Whether several copies may lie on one server. */
  reuseServer?: boolean | undefined;
  /** Tags to add; an empty text removes its tag. */
  tags?: Tags | undefined;
}

/** The argument of `volumeCreate()`. */
export interface VolumeCreate extends VolumePolicy {
  /** A name that is free. */
  name: string;
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
  /** Its tags. */
  tags?: Tags | undefined;
}

/** The argument of `snapshotUpdate()`: only what is to change. */
export interface SnapshotUpdate extends VolumePolicy {
  /** The new name. */
  rename?: string | undefined;
  /** The template to take the settings from. */
  template?: string | undefined;
  /** Whether to delete it as soon as nothing is based on it. */
  bind?: boolean | undefined;
  /** Seconds since 1970; 0 for never */
  targetDeleteDate?: number | undefined;
  /** Seconds from now; 0 for never */
  deleteAfter?: number | undefined;
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
  /** The transient snapshot that was needed for it. */
  autoName?: string;
  /** The global ID of the new volume, without `~`. */
  globalId?: string;
}

/** The answer to `snapshotCreate()`. */
export interface SnapshotCreated extends ApiOk {
  /** The name that the service made up, if none was given. */
  autoName?: string;
  /** The global ID of the new snapshot, without `~`. */
  snapshotGlobalId?: string;
  /** The number that the service gave it. */
  snapshotVisibleVolumeId?: number;
}

/** A template of settings for volumes. */
export interface VolumeTemplate extends VolumePolicy {
  /** Its name. */
  name: string;
  /** The snapshot that its volumes are based on; empty without one. */
  parentName?: string;
  /** The size of its volumes where none is given; `-` without one. */
  size?: Bytes | '-';
  [field: string]: unknown;
}

/** A disk of the cluster. */
export interface Disk {
  /** Its ID. */
  id: number;
  /** The ID of the server that it was last seen on. */
  serverId?: number;
  /** -1 while the disk is up. */
  generationLeft?: number;
  /** Allocation groups: all of them, those in use, those free. */
  agCount?: number;
  /** Allocation groups in use. */
  agAllocated?: number;
  /** Allocation groups that are free. */
  agFree?: number;
  /** The model that the disk says it is. */
  model?: string;
  /** The serial number that the disk says it has. */
  serial?: string;
  /** A note of the operators. */
  description?: string;
  [field: string]: unknown;
}

/** All disks by their IDs. */
export type Disks = Record<string, Disk>;

/** The iSCSI part of the cluster's configuration; its parts by keys that the service gives them. */
export interface ISCSI {
  /** What the names of all targets begin with. */
  baseName?: string;
  /** Who may connect: name, networks and exports. */
  initiators?: Record<string, Record<string, unknown>>;
  /** Where they may connect: names, addresses and portals. */
  portalGroups?: Record<string, Record<string, unknown>>;
  /** What they may connect to: one target a volume. */
  targets?: Record<string, Record<string, unknown>>;
  [field: string]: unknown;
}

/** What `iSCSIConfig()` gives. */
export interface ISCSIConfig {
  /** The configuration. */
  iscsi: ISCSI;
}

/** One change of the iSCSI configuration: a single member, whose name says what to do. */
export type ISCSICommand = Record<string, Record<string, unknown>>;

/** The argument of `iSCSIConfigChange()`. */
export interface ISCSIConfigChange {
  /** Carried out in this order. */
  commands: readonly ISCSICommand[];
}
