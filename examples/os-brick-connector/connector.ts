import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { AttachDB, CallOptions } from 'storpool-spopenstack';

/** What Cinder tells about a connection, with the names that it has in OpenStack's JSON. */
export interface ConnectionProperties {
  /** OpenStack's ID of the volume. */
  volume: string;
  client_id: number;
  access_mode: 'rw' | 'ro';
  /** The path that `connectVolume()` returned. */
  device_path?: string;
}

/** What `connectVolume()` returns. */
export interface DeviceInfo {
  type: 'block';
  path: string;
}

/** Returns the size of a block device in bytes. */
export type DeviceSize = (path: string, options: CallOptions) => Promise<number>;

export interface ConnectorOptions {
  db: AttachDB;
  /** Default: what `blockdev --getsize64` prints. */
  deviceSize?: DeviceSize;
}

/** A connection that cannot be made as it was asked for. */
export class ConnectorError extends Error {
  override readonly name = 'ConnectorError';
}

/** Attaches volumes to this host and detaches them, and shares them with the other services of the host. */
export class Connector {
  readonly #db: AttachDB;
  readonly #deviceSize: DeviceSize;

  constructor({ db, deviceSize = blockDeviceSize }: ConnectorOptions) {
    this.#db = db;
    this.#deviceSize = deviceSize;
  }

  /**
   * The path stays valid when the volume is renamed, if the cluster has global IDs. Whatever this throws,
   * `disconnectVolume()` undoes what it has done.
   */
  async connectVolume(connection: ConnectionProperties, options?: CallOptions): Promise<DeviceInfo> {
    const { access_mode } = checkConnection(connection);
    const volume = this.#db.volumeName(connection.volume);
    const id = requestId(connection);
    const request = { volume, type: 'brick', id, rights: access_mode === 'ro' ? 1 : 2 } as const;
    const { device, deviceById } = await this.#db.attach(id, request, options);
    return { type: 'block', path: deviceById ?? device };
  }

  /** The volume may have another name by now: the request in the cache tells which one it is. */
  async disconnectVolume(
    connection: ConnectionProperties,
    _device?: DeviceInfo | null,
    options?: CallOptions,
  ): Promise<void> {
    await this.#db.detach(requestId(checkConnection(connection)), options);
  }

  /** The paths of the device of a volume: there is one. */
  getVolumePaths(connection: ConnectionProperties): string[] {
    const { volume, device_path } = checkConnection(connection);
    return [device_path ?? this.#db.devicePath(this.#db.volumeName(volume))];
  }

  /** The IDs of the volumes that have a device on this host. */
  async getAllAvailableVolumes(options?: CallOptions): Promise<string[]> {
    const prefix = this.#db.volumeName('');
    const { volumes } = await this.#db.status(options);
    return volumes
      .filter(({ volume, device }) => device !== null && volume.startsWith(prefix))
      .map(({ volume }) => volume.slice(prefix.length));
  }

  /** @returns the size of the device in bytes, when it is that of the volume, or after a second */
  async extendVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<number> {
    const [path = ''] = this.getVolumePaths(connection);
    const request = (await this.#db.get(options))[requestId(connection)];
    const name = request?.global_id ? `~${request.global_id}` : this.#db.volumeName(connection.volume);
    const [volume] = await this.#db.api().volumeList(name, options);
    // The storpool_block service resizes the device.
    for (let looks = 0; looks < 10; looks++) {
      if ((await this.#deviceSize(path, options)) === volume?.size) break;
      await pause(100, options);
    }
    return this.#deviceSize(path, options);
  }
}

const requestId = ({ client_id, volume }: ConnectionProperties) => `brick-${client_id}-${volume}`;

/** It may come from anywhere. */
function checkConnection(connection: ConnectionProperties): ConnectionProperties {
  const { volume, client_id, access_mode } = connection;
  if (typeof volume !== 'string' || volume === '') throw new ConnectorError('The connection names no volume');
  if (!Number.isSafeInteger(client_id)) throw new ConnectorError('The connection names no client_id');
  if (access_mode === 'rw' || access_mode === 'ro') return connection;
  throw new ConnectorError(`The access_mode of the connection is ${access_mode}, neither rw nor ro`);
}

const blockDeviceSize: DeviceSize = async (path, { signal }) => {
  const { stdout } = await promisify(execFile)('blockdev', ['--getsize64', path], { signal });
  return Number(stdout);
};

/** @throws the signal's reason, as the library does. */
async function pause(ms: number, { signal }: CallOptions): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => signal?.throwIfAborted());
}
