import type { OnAttached } from './volumes.js';

/** The rights of an attachment, as the API spells them. */
export type AttachmentRights = 'rw' | 'ro';

/** A volume or snapshot attached to a client. */
export interface Attachment {
  /** The name of the volume, or of the snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The ID of the client (the host) that it is attached to. */
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

/** What the entries for volumes and snapshots have in common. Clients are named by their IDs, 1 to 4095. */
interface Reassign {
  /** Clients to detach it from; `all` for every client that has it. */
  detach?: readonly (number | string)[] | 'all' | undefined;
  /** Clients to attach it to read-only. */
  ro?: readonly (number | string)[] | undefined;
  /** Detach it even if it is open: data that is not written yet is lost. Default: `false`. */
  force?: boolean | undefined;
}

/** Attaches a volume to clients, or detaches it. Use its name or its global ID, for example `~a.b.cd`. */
export interface VolumeReassign extends Reassign {
  /** The name of the volume. */
  volume: string;
  /** An entry for a volume names no snapshot. */
  snapshot?: never;
  /** Clients to attach it to read/write. */
  rw?: readonly (number | string)[] | undefined;
  /** Also attach a volume that another cluster has exported. */
  allowRemoteExported?: boolean | undefined;
  /** What to do if it is attached in a remote cluster. Multi-cluster calls only. Default: `export`. */
  onRemoteAttached?: OnAttached | undefined;
  /** Multi-cluster setups only: passed on unchanged. */
  mcMode?: string | undefined;
}

/** Attaches a snapshot to clients, or detaches it; a snapshot is never read/write. */
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
  /** Seconds to wait for clients that are offline; 0 does not wait. Default: no limit. */
  attachTimeout?: number | undefined;
}
