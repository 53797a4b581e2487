import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** What Cinder tells about a connection, with the names that it has in OpenStack's JSON. */
export interface ConnectionProperties {
  /** OpenStack's ID of the volume. */
  volume: string;
  client_id: number;
  access_mode: 'rw' | 'ro';
  /** The path that `connectVolume()` gave, once it has. */
  device_path?: string;
}

/** What `connectVolume()` gives. */
export interface DeviceInfo {
  type: 'block';
  path: string;
}

export interface CallOptions {
  signal?: AbortSignal | undefined;
}

/** Attaches volumes to this host and detaches them. */
export interface Connector {
  connectVolume(connection: ConnectionProperties, options?: CallOptions): Promise<DeviceInfo>;
  disconnectVolume(
    connection: ConnectionProperties,
    device?: DeviceInfo | null,
    options?: CallOptions,
  ): Promise<void>;
  /** The paths under which the volume is to be found. */
  getVolumePaths(connection: ConnectionProperties, options?: CallOptions): Promise<string[]>;
  /** The IDs of the volumes that have a device on this host. */
  getAllAvailableVolumes(options?: CallOptions): Promise<string[]>;
  /** The size of the device in bytes, once it is that of the volume or a second has gone by. */
  extendVolume(connection: ConnectionProperties, options?: CallOptions): Promise<number>;
}

/** A connection that cannot be made as it was asked for. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError';
}

/** The connection itself, which may come from anywhere, once nothing is missing. */
export function checkConnection(connection: ConnectionProperties): ConnectionProperties {
  const { volume, client_id, access_mode } = connection;
  if (typeof volume !== 'string' || volume === '') {
    throw new ConnectorError('The connection names no volume');
  }
  if (!Number.isSafeInteger(client_id)) throw new ConnectorError('The connection names no client_id');
  if (access_mode !== 'rw' && access_mode !== 'ro') {
    throw new ConnectorError(`The access_mode of the connection is ${access_mode}, neither rw nor ro`);
  }
  return connection;
}

/** The only path, unless the connection speaks of another one. */
export function checkPath({ device_path }: ConnectionProperties, path: string): string[] {
  if (device_path != null && device_path !== path) {
    throw new ConnectorError(`The device of the volume is ${path}, not ${device_path}`);
  }
  return [path];
}

/** The names of the links in a device directory; none if there is no such directory. */
export async function linksIn(dir: string): Promise<string[]> {
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Gives the size of a block device in bytes. */
export type DeviceSize = (path: string, options: CallOptions) => Promise<number>;

export const blockDeviceSize: DeviceSize = async (path, { signal }) => {
  const { stdout } = await promisify(execFile)('blockdev', ['--getsize64', path], { signal });
  return Number(stdout);
};

/** The storpool_block service resizes the device by itself; this waits a second for it. */
export async function waitForSize(
  path: string,
  size: number | undefined,
  deviceSize: DeviceSize,
  options: CallOptions,
): Promise<number> {
  for (let looks = 0; looks < 10; looks++) {
    if ((await deviceSize(path, options)) === size) return size;
    await pause(100, options);
  }
  return deviceSize(path, options);
}

/** @throws the signal's reason, as the library does. */
export async function pause(ms: number, { signal }: CallOptions): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
