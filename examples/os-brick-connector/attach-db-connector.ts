import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { AttachDB } from 'storpool-spopenstack';
import {
  blockDeviceSize,
  type CallOptions,
  type ConnectionProperties,
  type Connector,
  ConnectorError,
  checkConnection,
  checkPath,
  type DeviceInfo,
  type DeviceSize,
  linksIn,
  waitForSize,
} from './connector.js';

export interface AttachDBConnectorOptions {
  db: AttachDB;
  /** The same as that of the `db`. Default: `/dev/storpool`. */
  deviceDir?: string;
  /** Default: what `blockdev --getsize64` says. */
  deviceSize?: DeviceSize;
}

/** Shares the volumes of this host with its other services through the attachment cache. */
export class AttachDBConnector implements Connector {
  readonly #db: AttachDBConnectorOptions['db'];
  readonly #deviceDir: string;
  readonly #deviceSize: DeviceSize;

  constructor({ db, deviceDir = '/dev/storpool', deviceSize = blockDeviceSize }: AttachDBConnectorOptions) {
    this.#db = db;
    this.#deviceDir = deviceDir;
    this.#deviceSize = deviceSize;
  }

  /** After an error the request is still in the cache: `disconnectVolume()` takes it all back. */
  async connectVolume(connection: ConnectionProperties, { signal }: CallOptions = {}): Promise<DeviceInfo> {
    const { access_mode } = checkConnection(connection);
    const volume = this.#db.volumeName(connection.volume);
    const id = requestId(connection);
    const rights = access_mode === 'ro' ? 1 : 2;
    await this.#db.withLock(() => this.#db.add(id, { volume, type: 'brick', id, rights, volsnap: false }), {
      signal,
    });
    const { staleRequests } = await this.#db.sync(id, null, { signal });
    if (staleRequests.includes(id)) throw new ConnectorError(`The cluster has no volume ${volume}`);
    const path = this.#path(connection);
    try {
      await access(path);
    } catch (cause) {
      throw new ConnectorError(`${volume} is attached, but has no device ${path}`, { cause });
    }
    return { type: 'block', path };
  }

  /** One hold of the lock, so that nobody attaches the volume again before the request is gone. */
  async disconnectVolume(
    connection: ConnectionProperties,
    _device?: DeviceInfo | null,
    { signal }: CallOptions = {},
  ): Promise<void> {
    const id = requestId(checkConnection(connection));
    await this.#db.withLock(
      async () => {
        await this.#db.sync(id, this.#db.volumeName(connection.volume), { signal });
        await this.#db.remove(id);
      },
      { signal },
    );
  }

  async getVolumePaths(connection: ConnectionProperties): Promise<string[]> {
    return checkPath(connection, this.#path(checkConnection(connection)));
  }

  async getAllAvailableVolumes(): Promise<string[]> {
    const prefix = this.#db.volumeName('');
    const names = await linksIn(this.#deviceDir);
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  async extendVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<number> {
    const name = this.#db.volumeName(checkConnection(connection).volume);
    const [volume] = await this.#db.api().volumeList(name, options);
    return waitForSize(this.#path(connection), volume?.size, this.#deviceSize, options);
  }

  #path({ volume }: ConnectionProperties): string {
    return join(this.#deviceDir, this.#db.volumeName(volume));
  }
}

const requestId = ({ client_id, volume }: ConnectionProperties) => `brick-${client_id}-${volume}`;
