import type { Rights } from './attach-request.js';

/** A volume or snapshot that `sync()` has attached. */
export interface AttachedVolume {
  volume: string;
  snapshot: boolean;
  rights: Rights;
  /** The path of its device, or `null` if it did not appear in time. */
  device: string | null;
}

/** A volume that stayed attached because others need it and it is open. */
export interface KeptVolume {
  volume: string;
  /** The IDs of the other requests. */
  neededBy: string[];
}

/** What one `sync()` did. */
export interface SyncReport {
  attached: AttachedVolume[];
  /** The requests that left the cache since the cluster does not have their volumes. */
  staleRequests: string[];
  /** The volume that was detached. */
  detached: string | null;
  /** Whether it was pulled away by force. */
  forced: boolean;
  kept: KeptVolume | null;
}
