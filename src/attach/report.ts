import type { Rights } from './request.js';

/** A volume or snapshot that `sync()` has attached. */
export interface AttachedVolume {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** 1 is read-only, 2 is read/write. */
  rights: Rights;
  /** The path of its device, or `null` if it did not appear in time. */
  device: string | null;
}

/** A volume that stayed attached because others need it and it is open. */
export interface KeptVolume {
  /** The name of the volume or snapshot. */
  volume: string;
  /** The IDs of the other requests. */
  neededBy: string[];
}

/** What one `sync()` did. */
export interface SyncReport {
  /** What was attached, for this and for other cached requests. */
  attached: AttachedVolume[];
  /** The requests that left the cache since the cluster does not have their volumes. */
  staleRequests: string[];
  /** The volume that was detached. */
  detached: string | null;
  /** Whether it was pulled away by force. */
  forced: boolean;
  /** The volume that was to be detached but stays, if there is one. */
  kept: KeptVolume | null;
}
