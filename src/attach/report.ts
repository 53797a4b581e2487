import { join } from 'node:path';
import type { Host } from './attempts.js';
import { missingDevice, waitForDevices } from './devices.js';
import type { DetachPlan, WantedVolume } from './plan.js';

/** A volume or snapshot that `sync()` has attached. */
export interface AttachedVolume extends Pick<WantedVolume, 'volume' | 'snapshot' | 'rights'> {
  /** The path of its device, or `null` if the device did not appear in time. */
  device: string | null;
}

/** A volume that stayed attached, because it is open, and others need it. */
export type KeptVolume = Pick<DetachPlan, 'volume' | 'neededBy'>;

/** What became of the request that `sync()` was called for. */
export interface OwnRequest {
  /** The volume or snapshot that it is for. */
  volume: string;
  /**
   * - `attached`: this call attached the volume.
   * - `alreadyAttached`: the volume was attached before, with at least these rights.
   * - `stale`: the cluster does not have the volume; the request has left the cache.
   * - `detaching`: this call gives the volume up; see `detached`, `forced` and `kept` of the report.
   */
  state: 'attached' | 'alreadyAttached' | 'stale' | 'detaching';
  /** The path of its device; `null` if it did not appear in time, or is not expected (`stale`, `detaching`). */
  device: string | null;
}

/** What one `sync()` did. */
export interface SyncReport {
  /** What this call attached, for its own and for other cached requests. */
  attached: AttachedVolume[];
  /** The requests that left the cache because the cluster does not have their volumes. */
  staleRequests: string[];
  /** The volume that was detached. */
  detached: string | null;
  /** Whether it was detached by force. */
  forced: boolean;
  /** The volume that should have been detached, but stays attached. */
  kept: KeptVolume | null;
  /** What became of the call's own request; `null` when it is not in the cache. */
  own: OwnRequest | null;
  /** The other requests that need the volume that was detached, if there are any. */
  neededBy?: string[];
}

/** The result of `attach()`. */
export interface Attached extends AttachedVolume {
  /** The path of its device, which has appeared. It ends in the name. */
  device: string;
  /** The global ID of the volume or snapshot, without `~`; `null` if the cluster does not tell it. */
  globalId: string | null;
  /**
   * The path of its device that ends in the global ID, and stays when the volume gets another name: in
   * `/dev/storpool-byid`, or beside a `deviceDir` of your own. `null` without a global ID. It is not waited for.
   */
  deviceById: string | null;
  /** Whether it was attached before, with at least these rights. */
  alreadyAttached: boolean;
}

/** The result of `detach()`. */
export interface Detached {
  /** The volume or snapshot of the request; `null` when the request was not in the cache. */
  volume: string | null;
  /**
   * - `detached`: the volume is detached.
   * - `forced`: the volume is detached by force, because no attempt was left.
   * - `shared`: the volume stays attached, because other cached requests need it.
   * - `notAttached`: the volume was not attached to this host, or its name lacks the prefix.
   * - `renewed`: somebody has attached again under this request ID while the call was waiting for an open volume.
   * - `unknownRequest`: the request is not in the cache.
   *
   * After the last two, all is as it was. After the others, the request has left the cache.
   */
  outcome: 'detached' | 'forced' | 'shared' | 'renewed' | 'notAttached' | 'unknownRequest';
  /** The IDs of the other requests that need the volume. */
  neededBy: string[];
}

/** What became of the volume that a `sync()` gives up. @internal */
export type Ending = Pick<SyncReport, 'detached' | 'forced' | 'kept' | 'neededBy'>;

/** The result of a `sync()`, before the wait for the devices. @internal */
export interface SyncOutcome extends Ending {
  attached: WantedVolume[];
  staleRequests: string[];
  own: Omit<OwnRequest, 'device'> | null;
}

/** Waits for the devices, and reports the result of a `sync()`. @internal */
export async function reportOf({ attached, own, ...rest }: SyncOutcome, host: Host): Promise<SyncReport> {
  const volumes = attached.map(({ volume }) => volume).filter((volume) => volume !== rest.detached);
  // Another process may just have attached it for this very request, and be waiting too.
  const ownVolume = own?.state === 'alreadyAttached' && rest.detached === null ? [own.volume] : [];
  const { deviceDir, deviceTimeout: timeout, log, signal } = host;
  const found = await waitForDevices(deviceDir, [...volumes, ...ownVolume], { timeout, signal });
  for (const volume of volumes) if (!found.has(volume)) log.warn(missingDevice(host, volume));
  for (const volume of ownVolume) if (!found.has(volume)) log.debug(missingDevice(host, volume));
  const device = (volume: string) => (found.has(volume) ? join(deviceDir, volume) : null);
  return {
    ...rest,
    attached: attached.map(({ volume, snapshot, rights }) => {
      return { volume, snapshot, rights, device: device(volume) };
    }),
    own: own && { ...own, device: device(own.volume) },
  };
}
