import { type Api, type ApiCallOptions, ApiError, type AttachDB, type Logger } from 'storpool-spopenstack';

/** What the driver needs: an `AttachDB` is that. */
export interface StorPoolVolumes extends Pick<AttachDB, 'volumeName' | 'snapshotName' | 'attach' | 'detach'> {
  api(): Pick<
    Api,
    | 'snapshotCreate'
    | 'snapshotDelete'
    | 'volumeCreate'
    | 'volumeDelete'
    | 'volumeList'
    | 'volumeRevert'
    | 'volumesReassign'
    | 'volumeUpdate'
  >;
}

export interface CinderDriverOptions {
  db: StorPoolVolumes;
  log: Logger;
  /** The template of volumes whose type names none. Default: none. */
  template?: string;
  /** The number of copies of volumes without a template. Default: `3`. */
  replication?: number;
}

/** A volume as Cinder knows it. */
export interface CinderVolume {
  id: string;
  /** GiB */
  size: number;
  /** The `storpool_template` of its type. */
  template?: string | undefined;
}

/** A snapshot as Cinder knows it. */
export interface CinderSnapshot {
  id: string;
  volumeId: string;
}

const GIB = 1024 ** 3;

/** The volumes of Cinder on a StorPool cluster. What the API refuses is thrown as it is. */
export class CinderDriver {
  readonly #db: StorPoolVolumes;
  readonly #log: Logger;
  readonly #template: string | undefined;
  readonly #replication: number;

  constructor({ db, log, template, replication = 3 }: CinderDriverOptions) {
    this.#db = db;
    this.#log = log;
    this.#template = template;
    this.#replication = replication;
  }

  async createVolume(volume: CinderVolume, options?: ApiCallOptions): Promise<void> {
    const settings = this.#settings(volume.template);
    await this.#api.volumeCreate({ ...this.#nameAndSize(volume), ...settings }, options);
  }

  async createVolumeFromSnapshot(
    volume: CinderVolume,
    snapshot: CinderSnapshot,
    options?: ApiCallOptions,
  ): Promise<void> {
    const parent = this.#snapshotName(snapshot);
    await this.#api.volumeCreate({ ...this.#nameAndSize(volume), parent }, options);
  }

  /** A copy has the template of its source until it is given another one. */
  async createClonedVolume(
    volume: CinderVolume,
    source: CinderVolume,
    options?: ApiCallOptions,
  ): Promise<void> {
    const baseOn = this.#db.volumeName(source.id);
    await this.#api.volumeCreate({ ...this.#nameAndSize(volume), baseOn }, options);
    if ((volume.template ?? this.#template) === (source.template ?? this.#template)) return;
    try {
      await this.retype(volume, volume.template, options);
    } catch (error) {
      await this.deleteVolume(volume).catch((second: unknown) =>
        this.#log.warn(`${this.#db.volumeName(volume.id)}, half made, cannot be deleted: ${String(second)}`),
      );
      throw error;
    }
  }

  /** Detaches the volume everywhere first; it is no error if there is none. */
  async deleteVolume({ id }: Pick<CinderVolume, 'id'>, options?: ApiCallOptions): Promise<void> {
    const volume = this.#db.volumeName(id);
    try {
      await this.#api.volumesReassign([{ volume, detach: 'all' }], options);
      await this.#api.volumeDelete(volume, options);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  /** @param size - GiB */
  async extendVolume({ id }: CinderVolume, size: number, options?: ApiCallOptions): Promise<void> {
    await this.#api.volumeUpdate(this.#db.volumeName(id), { size: size * GIB }, options);
  }

  async createSnapshot(snapshot: CinderSnapshot, options?: ApiCallOptions): Promise<void> {
    const name = this.#snapshotName(snapshot);
    await this.#api.snapshotCreate(this.#db.volumeName(snapshot.volumeId), { name }, options);
  }

  /** Detaches the snapshot everywhere first; it is no error if there is none. */
  async deleteSnapshot(given: CinderSnapshot, options?: ApiCallOptions): Promise<void> {
    const snapshot = this.#snapshotName(given);
    try {
      await this.#api.volumesReassign([{ snapshot, detach: 'all' }], options);
      await this.#api.snapshotDelete(snapshot, options);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }

  async revertToSnapshot(
    { id }: CinderVolume,
    snapshot: CinderSnapshot,
    options?: ApiCallOptions,
  ): Promise<void> {
    const toSnapshot = this.#snapshotName(snapshot);
    await this.#api.volumeRevert(this.#db.volumeName(id), { toSnapshot }, options);
  }

  /** @param template - that of the new type, if it names one */
  async retype({ id }: CinderVolume, template: string | undefined, options?: ApiCallOptions): Promise<void> {
    await this.#api.volumeUpdate(this.#db.volumeName(id), this.#settings(template), options);
  }

  /**
   * Attaches the volume to this host for as long as `use` works on its device: to copy an image to it, for example.
   * It stays attached afterwards if another service of this host needs it.
   *
   * @param use - gets the path of the device
   */
  async withDevice<T>(
    { id }: Pick<CinderVolume, 'id'>,
    use: (path: string) => Promise<T>,
    options?: Pick<ApiCallOptions, 'signal'>,
  ): Promise<T> {
    const reqId = `cinder-${id}`;
    const request = { volume: this.#db.volumeName(id), type: 'cinder', id: reqId, rights: 2 } as const;
    try {
      const { device } = await this.#db.attach(reqId, request, options);
      return await use(device);
    } finally {
      // Also when attach() has failed half-way, and not with the caller's signal, which may be what has ended it.
      await this.#db.detach(reqId);
    }
  }

  /**
   * Gives a volume that was migrated here the name of the original one, whose name it takes in turn if that is
   * still here: either all of the renames happen, or none.
   *
   * @returns `nameId`: the ID in the name that the volume now has; `null` for that of the original one.
   */
  async updateMigratedVolume(
    original: Pick<CinderVolume, 'id'>,
    migrated: Pick<CinderVolume, 'id'>,
    options?: ApiCallOptions,
  ): Promise<{ nameId: string | null }> {
    const wanted = this.#db.volumeName(original.id);
    const present = this.#db.volumeName(migrated.id);
    const spare = `${present}--temp--mig`;
    if (!(await this.#exists(present, options))) {
      this.#log.warn(`There is no ${present} to take the place of ${wanted}`);
      return { nameId: migrated.id };
    }
    const swap: Rename[] = [
      { from: wanted, to: spare },
      { from: present, to: wanted },
      { from: spare, to: present },
    ];
    const renames = (await this.#exists(wanted, options)) ? swap : [{ from: present, to: wanted }];
    const undo: Rename[] = [];
    try {
      for (const { from, to } of renames) {
        await this.#api.volumeUpdate(from, { rename: to }, options);
        undo.unshift({ from: to, to: from });
      }
      return { nameId: null };
    } catch (error) {
      // Not with the caller's options: their signal may be what has ended the renames.
      for (const { from, to } of undo) await this.#api.volumeUpdate(from, { rename: to });
      if (!(error instanceof ApiError)) throw error;
      this.#log.warn(`${present} cannot be given the name ${wanted}: ${error.message}`);
      return { nameId: migrated.id };
    }
  }

  get #api(): ReturnType<StorPoolVolumes['api']> {
    return this.#db.api();
  }

  #nameAndSize({ id, size }: CinderVolume) {
    return { name: this.#db.volumeName(id), size: size * GIB };
  }

  #settings(template: string | undefined = this.#template) {
    return template === undefined ? { replication: this.#replication } : { template };
  }

  #snapshotName({ id }: CinderSnapshot): string {
    return this.#db.snapshotName('snap', id);
  }

  async #exists(volume: string, options: ApiCallOptions | undefined): Promise<boolean> {
    try {
      await this.#api.volumeList(volume, options);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }
}

interface Rename {
  from: string;
  to: string;
}

const isAbsent = (error: unknown) => error instanceof ApiError && error.code === 'objectDoesNotExist';
