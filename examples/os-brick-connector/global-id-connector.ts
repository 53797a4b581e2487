import { basename, dirname, join } from 'node:path';
import { type Api, ApiError, type AttachDB } from 'storpool-spopenstack';
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
  pause,
  waitForSize,
} from './connector.js';

/** What the connector needs: an `AttachDB`, of which it never touches the cache, is that. */
export interface StorPoolHost extends Pick<AttachDB, 'config' | 'volumeName'> {
  api(): Pick<Api, 'attachmentsList' | 'volumeInfo' | 'volumesReassignWait'>;
}

export interface GlobalIdConnectorOptions {
  host: StorPoolHost;
  /** Where devices have the global IDs of their volumes. Default: `/dev/storpool-byid`. */
  byIdDir?: string;
  /** Where devices have the names of their volumes: connections of older drivers. Default: `/dev/storpool`. */
  byNameDir?: string;
  /** How often to try again to detach a volume that is open; the last of them is forced. Default: `10`. */
  retries?: number;
  /** Milliseconds between those attempts. Default: `200`. */
  retryDelay?: number;
  /** Default: what `blockdev --getsize64` says. */
  deviceSize?: DeviceSize;
}

/** Attaches without a cache, and names devices by the global IDs that stay when volumes are renamed. */
export class GlobalIdConnector implements Connector {
  readonly #host: StorPoolHost;
  readonly #byIdDir: string;
  readonly #byNameDir: string;
  readonly #retries: number;
  readonly #retryDelay: number;
  readonly #deviceSize: DeviceSize;

  constructor(options: GlobalIdConnectorOptions) {
    this.#host = options.host;
    this.#byIdDir = options.byIdDir ?? '/dev/storpool-byid';
    this.#byNameDir = options.byNameDir ?? '/dev/storpool';
    this.#retries = options.retries ?? 10;
    this.#retryDelay = options.retryDelay ?? 200;
    this.#deviceSize = options.deviceSize ?? blockDeviceSize;
  }

  async connectVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<DeviceInfo> {
    const { access_mode } = checkConnection(connection);
    const volume = this.#host.volumeName(connection.volume);
    const clients = [this.#clientId()];
    const entry = access_mode === 'ro' ? { volume, ro: clients } : { volume, rw: clients };
    await this.#host.api().volumesReassignWait({ reassign: [entry] }, options);
    return { type: 'block', path: (await this.#device(connection, options)).path };
  }

  /** The volume is the one that the path stands for: it may have another name by now. */
  async disconnectVolume(
    connection: ConnectionProperties,
    device?: DeviceInfo | null,
    options: CallOptions = {},
  ): Promise<void> {
    const path = connection.device_path ?? device?.path;
    if (path === undefined)
      throw new ConnectorError('Neither connection nor device has a path to disconnect');
    const volume = this.#volumeAt(path);
    const detach = [this.#clientId()];
    for (let attempt = 0; ; attempt++) {
      const force = attempt >= this.#retries;
      try {
        await this.#host.api().volumesReassignWait({ reassign: [{ volume, detach, force }] }, options);
        return;
      } catch (error) {
        if (force || !isOpen(error)) throw error;
        await pause(this.#retryDelay, options);
      }
    }
  }

  async getVolumePaths(connection: ConnectionProperties, options: CallOptions = {}): Promise<string[]> {
    const { path } = await this.#device(checkConnection(connection), options);
    return checkPath(connection, path);
  }

  async getAllAvailableVolumes(options: CallOptions = {}): Promise<string[]> {
    const clientId = this.#clientId();
    const prefix = this.#host.volumeName('');
    const ids = new Set(await linksIn(this.#byIdDir));
    if (ids.size === 0) return [];
    const attachments = await this.#host.api().attachmentsList(options);
    return attachments
      .filter(({ client, snapshot }) => client === clientId && !snapshot)
      .filter(({ volume, globalId = '' }) => volume.startsWith(prefix) && ids.has(globalId))
      .map(({ volume }) => volume.slice(prefix.length));
  }

  async extendVolume(connection: ConnectionProperties, options: CallOptions = {}): Promise<number> {
    const { path, size } = await this.#device(checkConnection(connection), options);
    return waitForSize(path, size, this.#deviceSize, options);
  }

  async #device(connection: ConnectionProperties, options: CallOptions) {
    const volume = this.#host.volumeName(connection.volume);
    const { globalId, size } = await this.#host.api().volumeInfo(volume, options);
    if (globalId === undefined) throw new ConnectorError(`The cluster gives no global ID for ${volume}`);
    return { path: join(this.#byIdDir, globalId), size };
  }

  /** The volume's global ID or name, as the API takes it. */
  #volumeAt(path: string): string {
    if (dirname(path) === this.#byIdDir) return `~${basename(path)}`;
    if (dirname(path) === this.#byNameDir) return basename(path);
    throw new ConnectorError(`${path} is neither in ${this.#byIdDir} nor in ${this.#byNameDir}`);
  }

  #clientId(): number {
    const id = Number(this.#host.config().require('SP_OURID'));
    if (Number.isSafeInteger(id) && id > 0) return id;
    throw new ConnectorError('SP_OURID is not a client ID: set it to a number from 1 on');
  }
}

/** Older services call it an invalid parameter. */
const isOpen = (error: unknown) =>
  error instanceof ApiError &&
  ['busy', 'invalidParam'].includes(error.code) &&
  error.desc.includes('is open at');
