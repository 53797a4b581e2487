import type { OnAttached } from './volumes.js';

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

/** What an entry for a volume and one for a snapshot have in common. Clients are given by their IDs, 1 to 4095. */
interface Reassign {
  /** Clients that lose it, or all that have it. */
  detach?: readonly (number | string)[] | 'all' | undefined;
  /** Clients that get it read-only. */
  ro?: readonly (number | string)[] | undefined;
  /** Detach even what is open: its user loses what it has not written. Default: `false`. */
  force?: boolean | undefined;
}

/** Changes who has a volume attached. It is named as usual, or by its global ID, for example `~a.b.cd`. */
export interface VolumeReassign extends Reassign {
  /** The name of the volume. */
  volume: string;
  /** An entry for a volume names no snapshot. */
  snapshot?: never;
  /** Clients that get it read/write. */
  rw?: readonly (number | string)[] | undefined;
  /** Also attach what another cluster has exported. */
  allowRemoteExported?: boolean | undefined;
  /** What to do where it is attached in a remote cluster. Multi-cluster calls only. Default: `export`. */
  onRemoteAttached?: OnAttached | undefined;
  /** Multi-cluster setups only: passed on as it is. */
  mcMode?: string | undefined;
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
