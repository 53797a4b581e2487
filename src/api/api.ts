import { SPConfig } from '../config/sp-config.js';
import { type ApiCall, CALLS, pathOf } from './calls.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import { quote } from './names.js';
import {
  type AllClustersOptions,
  type ApiCallOptions,
  type ApiOptions,
  type ApiRawCallOptions,
  checkCallOptions,
  serviceOf,
} from './options.js';
import { checkList } from './reply.js';
import { reassignBody } from './request.js';
import { Service } from './service.js';
import type * as Types from './types.js';

/**
 * A thin client for the StorPool API: one HTTP request per call, retried after transient errors.
 *
 * Every call throws {@link ApiError} when the service refuses it, {@link ApiResponseError} when something other
 * than the service replies, {@link ApiConnectionError} when no reply comes, and {@link ApiArgumentError} for an
 * argument that must not be sent.
 *
 * Reference: `storpool.spapi.Api`.
 */
export class Api {
  readonly #service: Service;

  /** @throws {@link ApiArgumentError} */
  constructor(options: ApiOptions) {
    this.#service = new Service(options);
  }

  /**
   * Makes a client from `SP_API_HTTP_HOST`, `SP_API_HTTP_PORT` and `SP_AUTH_TOKEN`.
   *
   * Reference: `Api.fromConfig(cfg, **kwargs)`.
   *
   * @param config - default: this host's configuration
   * @param options - these take precedence over the configuration
   * @throws {@link SPConfigError} naming the setting that is missing or invalid.
   */
  static fromConfig(config: SPConfig = new SPConfig(), options: Partial<ApiOptions> = {}): Api {
    return new Api({ ...options, ...serviceOf(config, options) });
  }

  /** All attachments of the cluster. */
  attachmentsList(options?: ApiCallOptions): Promise<Types.Attachment[]> {
    return this.#run('attachmentsList', { options });
  }

  /** All volumes. */
  volumesList(options?: ApiCallOptions): Promise<Types.Volume[]> {
    return this.#run('volumesList', { options });
  }

  /** All snapshots. */
  snapshotsList(options?: ApiCallOptions): Promise<Types.Snapshot[]> {
    return this.#run('snapshotsList', { options });
  }

  /** One volume, in a list. @throws {@link ApiError} `objectDoesNotExist` */
  volumeList(volume: string, options?: ApiCallOptions): Promise<Types.Volume[]> {
    return this.#run('volumeList', { name: volume, options });
  }

  /** One snapshot, in a list. @throws {@link ApiError} `objectDoesNotExist` */
  snapshotList(snapshot: string, options?: ApiCallOptions): Promise<Types.Snapshot[]> {
    return this.#run('snapshotList', { name: snapshot, options });
  }

  /** One volume and how its data is spread over the disks. */
  volumeInfo(volume: string, options?: ApiCallOptions): Promise<Types.VolumeInfo> {
    return this.#run('volumeInfo', { name: volume, options });
  }

  /** Attaches and detaches, without waiting for the clients. */
  async volumesReassign(
    entries: readonly Types.ReassignEntry[],
    options?: ApiCallOptions,
  ): Promise<Types.ApiOk> {
    return this.#run('volumesReassign', { json: reassignBody(entries), options });
  }

  /** Attaches and detaches, and waits until the clients have caught up. */
  async volumesReassignWait(request: Types.ReassignWait, options?: ApiCallOptions): Promise<Types.ApiOk> {
    const body = { ...request, reassign: reassignBody(request?.reassign) };
    return this.#run('volumesReassignWait', { json: body, options });
  }

  /** Creates a volume. */
  volumeCreate(volume: Types.VolumeCreate, options?: ApiCallOptions): Promise<Types.VolumeCreated> {
    return this.#run('volumeCreate', { json: volume, options });
  }

  /** Renames, resizes or otherwise changes a volume. */
  volumeUpdate(volume: string, changes: Types.VolumeUpdate, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('volumeUpdate', { name: volume, json: changes, options });
  }

  /** Reverts a volume to one of its snapshots. */
  volumeRevert(volume: string, revert: Types.VolumeRevert, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('volumeRevert', { name: volume, json: revert, options });
  }

  /** Deletes a volume. */
  volumeDelete(volume: string, options?: ApiCallOptions & Types.VolumeDelete): Promise<Types.ApiOk> {
    const onAttached = options?.onAttached;
    return this.#run('volumeDelete', { name: volume, json: onAttached && { onAttached }, options });
  }

  /** Creates a snapshot of a volume. */
  snapshotCreate(
    volume: string,
    snapshot: Types.SnapshotCreate = {},
    options?: ApiCallOptions,
  ): Promise<Types.SnapshotCreated> {
    return this.#run('snapshotCreate', { name: volume, json: snapshot, options });
  }

  /** Deletes a snapshot. */
  snapshotDelete(snapshot: string, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('snapshotDelete', { name: snapshot, options });
  }

  /** Renames or otherwise changes a snapshot. */
  snapshotUpdate(
    snapshot: string,
    changes: Types.SnapshotUpdate,
    options?: ApiCallOptions,
  ): Promise<Types.ApiOk> {
    return this.#run('snapshotUpdate', { name: snapshot, json: changes, options });
  }

  /** All disks, by ID. */
  disksList(options?: ApiCallOptions): Promise<Types.Disks> {
    return this.#run('disksList', { options });
  }

  /** All templates. */
  volumeTemplatesList(options?: ApiCallOptions): Promise<Types.VolumeTemplate[]> {
    return this.#run('volumeTemplatesList', { options });
  }

  /** The iSCSI configuration. */
  iSCSIConfig(options?: ApiCallOptions): Promise<Types.ISCSIConfig> {
    return this.#run('iSCSIConfig', { options });
  }

  /** Changes the iSCSI configuration: carries out all commands, in order, or none of them. */
  iSCSIConfigChange(change: Types.ISCSIConfigChange, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('iSCSIConfigChange', { json: change, options });
  }

  /** Creates snapshots of several volumes at the same moment. */
  volumesGroupSnapshot(
    group: Types.GroupSnapshot,
    options?: ApiCallOptions,
  ): Promise<Types.GroupSnapshotCreated> {
    return this.#run('volumesGroupSnapshot', { json: group, options });
  }

  /** One template. */
  volumeTemplateDescribe(template: string, options?: ApiCallOptions): Promise<Types.VolumeTemplate> {
    return this.#run('volumeTemplateDescribe', { name: template, options });
  }

  /** All templates and the space that their volumes use; with `allClusters`, those of each cluster. */
  volumeTemplatesStatus(options?: ApiCallOptions): Promise<Types.VolumeTemplateStatus[]>;
  volumeTemplatesStatus(
    options: AllClustersOptions,
  ): Promise<Types.AllClusters<Types.VolumeTemplateStatus[]>>;
  volumeTemplatesStatus(options?: ApiCallOptions | AllClustersOptions): Promise<unknown> {
    return this.#run('volumeTemplatesStatus', { options });
  }

  /** All volumes and how much data they hold; with `allClusters`, those of each cluster. */
  volumesSpace(options?: ApiCallOptions): Promise<Types.VolumeSpace[]>;
  volumesSpace(options: AllClustersOptions): Promise<Types.AllClusters<Types.VolumeSpace[]>>;
  volumesSpace(options?: ApiCallOptions | AllClustersOptions): Promise<unknown> {
    return this.#run('volumesSpace', { options });
  }

  /** The state of all volumes and snapshots, by name. */
  volumesGetStatus(options?: ApiCallOptions): Promise<Record<string, Types.VolumeDataStatus>> {
    return this.#run('volumesGetStatus', { options });
  }

  /** All volumes and all snapshots. */
  volumesAndSnapshotsList(options?: ApiCallOptions): Promise<Types.VolumesAndSnapshots> {
    return this.#run('volumesAndSnapshotsList', { options });
  }

  /** One volume and the disks of each of its objects. */
  volumeDescribe(volume: string, options?: ApiCallOptions): Promise<Types.VolumeDescription> {
    return this.#run('volumeDescribe', { name: volume, options });
  }

  /** One snapshot and the disks of each of its objects. */
  snapshotDescribe(snapshot: string, options?: ApiCallOptions): Promise<Types.SnapshotDescription> {
    return this.#run('snapshotDescribe', { name: snapshot, options });
  }

  /** One snapshot and how its data is spread over the disks. */
  snapshotInfo(snapshot: string, options?: ApiCallOptions): Promise<Types.SnapshotInfo> {
    return this.#run('snapshotInfo', { name: snapshot, options });
  }

  /** Copies a snapshot from another location; its data arrives in the background. */
  snapshotFromRemote(remote: Types.SnapshotFromRemote, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('snapshotFromRemote', { json: remote, options });
  }

  /** Turns a volume into a snapshot. */
  volumeFreeze(volume: string, freeze?: Types.VolumeFreeze, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('volumeFreeze', { name: volume, json: freeze, options });
  }

  /** Moves a volume here from the cluster that has it. Multi-cluster clients only. */
  volumeAcquire(
    volume: string,
    acquire: Types.VolumeAcquire = {},
    options?: ApiCallOptions,
  ): Promise<Types.ApiOk> {
    return this.#run('volumeAcquire', { name: volume, json: acquire, options });
  }

  /** The services of the cluster. */
  servicesList(options?: ApiCallOptions): Promise<Types.ClusterStatus> {
    return this.#run('servicesList', { options });
  }

  /** Waits until a client has caught up with all earlier changes. */
  clientConfigWait(client: number | string, options?: ApiCallOptions): Promise<Types.ClientConfigStatus[]> {
    return this.#run('clientConfigWait', { name: client, options });
  }

  /** One placement group. */
  placementGroupDescribe(group: string, options?: ApiCallOptions): Promise<Types.PlacementGroup> {
    return this.#run('placementGroupDescribe', { name: group, options });
  }

  /** Creates a template. */
  volumeTemplateCreate(template: Types.VolumeTemplateCreate, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('volumeTemplateCreate', { json: template, options });
  }

  /** Deletes a template. */
  volumeTemplateDelete(template: string, options?: ApiCallOptions): Promise<Types.ApiOk> {
    return this.#run('volumeTemplateDelete', { name: template, options });
  }

  /** The tasks that are moving or restoring data. */
  tasksList(options?: ApiCallOptions): Promise<Types.Task[]> {
    return this.#run('tasksList', { options });
  }

  /**
   * Makes any other call of the API.
   *
   * @param path - what follows `/ctrl/1.0/` (and the cluster), for example `VolumeGetInfo/NAME`
   * @returns the `data` of the reply, unchecked
   */
  async call(method: 'GET' | 'POST', path: string, options: ApiRawCallOptions = {}): Promise<unknown> {
    checkCallOptions('call()', options, ['json', 'multiCluster']);
    return this.#service.call(method, path, options);
  }

  /** One of the declared calls. */
  async #run<T>(call: keyof typeof CALLS, { name, json, options = {} }: Arguments): Promise<T> {
    const spec: ApiCall = CALLS[call];
    const { method, listOf } = spec;
    checkCallOptions(`${call}()`, options, spec.options);
    if (json !== undefined && (typeof json !== 'object' || json === null)) {
      throw new ApiArgumentError(`${call}: the argument is ${quote(json)}, not an object`);
    }
    const allClusters = 'allClusters' in options && options.allClusters;
    const path = (allClusters ? 'MultiCluster/AllClusters/' : '') + pathOf(spec, name);
    const multiCluster = spec.multiCluster && !allClusters;
    const { signal, timeout, transientRetries, clusterName } = options;
    const given = { json, multiCluster, signal, timeout, transientRetries, clusterName };
    const data = await this.#service.call(method, path, given);
    if (listOf !== undefined && !allClusters) checkList(data, listOf, `${method} ${path}`);
    return data as T;
  }
}

/** What a declared call is made with; `name` is the name of an object, or a client ID. */
interface Arguments {
  name?: string | number;
  json?: unknown;
  options: ApiCallOptions | AllClustersOptions | undefined;
}
