import { dirname } from 'node:path';
import type { AttachDB } from 'storpool-spopenstack';
import {
  blockDeviceSize,
  type CallOptions,
  type ConnectionProperties,
  type Connector,
  checkConnection,
  checkPath,
  type DeviceInfo,
  type DeviceSize,
  linksIn,
  waitForSize,
} from './connector.js';

export interface AttachDBConnectorOptions {
  db: AttachDB;
  /** Default: what `blockdev --getsize64` says. */
  deviceSize?: DeviceSize;
}

/** Shares the volumes of this host with its other services through the attachment cache. */
export class AttachDBConnector implements Connector {
  readonly #db: AttachDB;
  readonly #deviceSize: DeviceSize;

  constructor({ db, deviceSize = blockDeviceSize }: AttachDBConnectorOptions) {
    this.#db = db;
    this.#deviceSize = deviceSize;
  }

  /** Whatever it throws, `disconnectVolume()` takes back what it has done. */
  async connectVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<DeviceInfo> {
    const { access_mode } = checkConnection(connection);
    const volume = this.#db.volumeName(connection.volume);
    const id = requestId(connection);
    const rights = access_mode === 'ro' ? 1 : 2;
    const { device } = await this.#db.attach(
      id,
      { volume, type: 'brick', id, rights, volsnap: false },
      options,
    );
    return { type: 'block', path: device };
  }

  async disconnectVolume(
    connection: ConnectionProperties,
    _device?: DeviceInfo | null,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#db.detach(requestId(checkConnection(connection)), options);
  }

  async getVolumePaths(connection: ConnectionProperties): Promise<string[]> {
    return checkPath(connection, this.#path(checkConnection(connection)));
  }

  async getAllAvailableVolumes(): Promise<string[]> {
    const prefix = this.#db.volumeName('');
    const names = await linksIn(dirname(this.#db.devicePath(prefix)));
    return names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  async extendVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<number> {
    const name = this.#db.volumeName(checkConnection(connection).volume);
    const [volume] = await this.#db.api().volumeList(name, options);
    return waitForSize(this.#path(connection), volume?.size, this.#deviceSize, options);
  }

  #path({ volume }: ConnectionProperties): string {
    return this.#db.devicePath(this.#db.volumeName(volume));
  }
}

const requestId = ({ client_id, volume }: ConnectionProperties) => `brick-${client_id}-${volume}`;
