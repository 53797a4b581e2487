import type { Bytes, PlacementGroups, VolumePolicy } from './volumes.js';

/** A template of settings for volumes. */
export interface VolumeTemplate extends VolumePolicy {
  /** Its name. */
  name: string;
  /** The snapshot that its volumes are based on; empty if there is none. */
  parentName?: string;
  /** The default size of its volumes; `-` if there is none. */
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
  /** Allocation groups in all. */
  agCount?: number;
  /** Allocation groups in use. */
  agAllocated?: number;
  /** Allocation groups that are free. */
  agFree?: number;
  /** The model that the disk reports. */
  model?: string;
  /** The serial number that the disk reports. */
  serial?: string;
  /** A note by the operators. */
  description?: string;
  [field: string]: unknown;
}

/** All disks, by ID. */
export type Disks = Record<string, Disk>;

/** What a call returns for each cluster of a multi-cluster setup. */
export interface AllClusters<T> {
  /** One for each cluster. */
  clusters: {
    /** What that cluster answered. */
    response?: {
      /** What the call returns for a single cluster. */
      data?: T;
      [field: string]: unknown;
    };
    [field: string]: unknown;
  }[];
  [field: string]: unknown;
}

/** The argument of `volumeTemplateCreate()`. */
export interface VolumeTemplateCreate extends VolumePolicy {
  /** A name that is not in use. */
  name: string;
  /** The snapshot to base its volumes on. */
  parent?: string | undefined;
  /** The default size of its volumes. */
  size?: Bytes | undefined;
}

/** An estimate of how much data fits, in bytes, not counting copies. */
export interface SpaceEstimate {
  /** Free bytes. */
  free?: number;
  /** All bytes. */
  capacity?: number;
  [field: string]: unknown;
}

/** How much data fits into the volumes of a template: in total, and in each placement group. */
export interface TemplateSpace extends SpaceEstimate {
  /** In the placement group of all copies that have no group of their own. */
  placeAll?: SpaceEstimate;
  /** In the placement group of the last copy. */
  placeTail?: SpaceEstimate;
  /** In the placement group of the first copy. */
  placeHead?: SpaceEstimate;
}

/** A template and the space that its volumes use, as `volumeTemplatesStatus()` returns it. All sizes are bytes. */
export interface VolumeTemplateStatus extends PlacementGroups {
  /** Its name. */
  name: string;
  /** Number of copies; `-` if the template does not set it. */
  replication?: number | '-';
  /** Number of its volumes. */
  volumesCount?: number;
  /** Number of its snapshots. */
  snapshotsCount?: number;
  /** Number of its snapshots that are being deleted. */
  removingSnapshotsCount?: number;
  /** The total size of its volumes. */
  size?: number;
  /** The same, counting all copies. */
  totalSize?: number;
  /** The data in its volumes, not counting copies. */
  storedSize?: number;
  /** The space that they take on the disks. */
  onDiskSize?: number;
  /** Free space on the disks of `placeAll`. */
  availablePlaceAll?: number;
  /** Free space on the disks of `placeTail`. */
  availablePlaceTail?: number;
  /** Free space on the disks of `placeHead`. */
  availablePlaceHead?: number;
  /** Space on the disks of `placeAll`. */
  capacityPlaceAll?: number;
  /** Space on the disks of `placeTail`. */
  capacityPlaceTail?: number;
  /** Space on the disks of `placeHead`. */
  capacityPlaceHead?: number;
  /** How much data fits. */
  stored?: TemplateSpace;
  [field: string]: unknown;
}

/** A placement group. */
export interface PlacementGroup {
  /** Its name. */
  name: string;
  /** The IDs of its disks. */
  disks?: number[];
  [field: string]: unknown;
}

/** One service of the cluster. */
export interface ClusterService {
  /** Its ID among the services of its kind. */
  id: number;
  /** The node that it runs on. */
  nodeId?: number;
  /** For example `running`, `waiting`, `booting`, `joining` or `down`. */
  status?: string;
  /** Its version. */
  version?: string;
  /** Seconds since 1970; `null` while it is down. */
  startTime?: number | null;
  /** Management services only: whether it is the active one. */
  active?: boolean;
  /** Servers only: the IDs of the disks that it waits for. */
  missingDisks?: number[];
  /** Servers only: the IDs of the disks that are ready, but wait for the missing ones. */
  pendingDisks?: number[];
  [field: string]: unknown;
}

/** The services of the cluster, by ID, as `servicesList()` returns them. */
export interface ClusterStatus {
  /** `waiting`: the servers have not agreed yet. `down`: there is no quorum. */
  clusterStatus?: 'running' | 'waiting' | 'down';
  /** The management services. */
  mgmt?: Record<string, ClusterService>;
  /** The clients: the hosts that volumes can be attached to. */
  clients?: Record<string, ClusterService>;
  /** The servers: the hosts that have the disks. */
  servers?: Record<string, ClusterService>;
  /** The bridges to other clusters. */
  bridges?: Record<string, ClusterService>;
  [field: string]: unknown;
}

/** Whether a client has caught up with the configuration of the cluster, as `clientConfigWait()` returns it. */
export interface ClientConfigStatus {
  /** The client ID. */
  id: number;
  /** The number of the latest change of the configuration. */
  generation?: number;
  /** The number of the latest change that the client has applied. */
  clientGeneration?: number;
  /** Whether it has caught up. */
  configStatus?: 'ok' | 'updating' | 'down';
  /** How long it took to catch up. */
  delay?: number;
  [field: string]: unknown;
}

/** A task that moves or restores data on a disk, as `tasksList()` returns it. */
export interface Task {
  /** The ID of the disk. */
  diskId?: number;
  /** The same for all disks that take part in one task. */
  transactionId?: number;
  /** Number of its objects. */
  allObjects?: number;
  /** Number of those that are done. */
  completedObjects?: number;
  /** Number of those that are under way. */
  dispatchedObjects?: number;
  [field: string]: unknown;
}
