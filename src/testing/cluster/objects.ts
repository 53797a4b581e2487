import { isName } from '../../api/names.js';
import type { Disk, Snapshot, Volume, VolumeTemplate } from '../../api/types.js';
import { absent, exists, invalid } from '../refusal.js';

/** The kinds of objects with a name and a global ID. */
export type ObjectKind = 'volume' | 'snapshot';

/** A volume or snapshot of the fake, with the fields that all have. */
export type FakeVolume = Volume & Required<Pick<Volume, 'globalId' | 'size' | 'templateName' | 'parentName'>>;

const GIB = 1024 ** 3;
const COPIES = 3;
const OBJECT_SIZE = 32 * 1024 ** 2;
const PLACEMENT = 'default';
/** How the API writes a limit or size that is not set. */
const UNSET = '-';
/** How the API writes the volume of a snapshot without one. */
export const NO_VOLUME = '-';

/** All volumes or all snapshots of a cluster, by name and by global ID. */
export class FakeObjects {
  readonly #kind: ObjectKind;
  readonly #newId: () => number;
  readonly #byName = new Map<string, FakeVolume>();
  readonly #byId = new Map<string, FakeVolume>();

  constructor(kind: ObjectKind, newId: () => number) {
    this.#kind = kind;
    this.#newId = newId;
  }

  list(): FakeVolume[] {
    return [...this.#byName.values()];
  }

  /** @param name - its name or global ID (`~…`) */
  get(name: string): FakeVolume | undefined {
    return this.#byName.get(name) ?? this.#byId.get(name);
  }

  find(name: string): FakeVolume {
    const object = this.get(name);
    if (object === undefined) throw absent(label(this.#kind), name);
    return object;
  }

  /** Adds an object. Its name must be free; without a name, it has only its global ID. */
  create<T extends Volume>(fields: T): T & FakeVolume {
    const number = this.#newId();
    const globalId = fields.globalId ?? `fake.b.${number.toString(36)}`;
    const name = fields.name === '' ? `~${globalId}` : this.checkFree(fields.name);
    if (this.#byId.has(`~${globalId}`)) throw exists(label(this.#kind), `~${globalId}`);
    const size = fields.size ?? GIB;
    const made = {
      globalId,
      size,
      replication: COPIES,
      templateName: '',
      parentName: '',
      placeAll: PLACEMENT,
      placeTail: PLACEMENT,
      placeHead: PLACEMENT,
      bw: UNSET,
      iops: UNSET,
      objectsCount: Math.ceil(size / OBJECT_SIZE),
      visibleVolumeId: number,
      creationTimestamp: 1_700_000_000 + number,
    };
    if (this.#kind === 'snapshot') Object.assign(made, SNAPSHOT);
    // Spreading would be slow with 100,000 of them.
    const object = Object.assign(made, fields, { name, tags: withoutEmpty(fields.tags) });
    this.#byName.set(name, object);
    this.#byId.set(`~${globalId}`, object);
    return object;
  }

  rename(object: FakeVolume, name: string): void {
    this.checkFree(name);
    this.#byName.delete(object.name);
    object.name = name;
    this.#byName.set(name, object);
  }

  delete(object: FakeVolume): void {
    this.#byName.delete(object.name);
    this.#byId.delete(`~${object.globalId}`);
  }

  checkFree(name: string): string {
    if (!isName(this.#kind, name) || name.startsWith('~')) {
      throw invalid(`'${name}' is not a name for a ${this.#kind}.`);
    }
    if (this.#byName.has(name)) throw exists(label(this.#kind), name);
    return name;
  }
}

const SNAPSHOT: Partial<Snapshot> = {
  onVolume: NO_VOLUME,
  autoName: false,
  bound: false,
  deleted: false,
  transient: false,
  recoveringFromRemote: false,
};

export const makeTemplate = (template: VolumeTemplate): VolumeTemplate => ({
  parentName: '',
  placeAll: PLACEMENT,
  placeTail: PLACEMENT,
  placeHead: PLACEMENT,
  size: UNSET,
  replication: COPIES,
  bw: UNSET,
  iops: UNSET,
  ...template,
});

const ALLOCATION_GROUPS = 2000;
const ENTRIES = 1_000_000;
const SECTORS_OF_GROUP = (512 * 1024 ** 2) / 512;

/** An empty disk. It is up unless `generationLeft` says otherwise. */
export const makeDisk = (disk: Disk): Disk => ({
  serverId: Math.floor(disk.id / 100),
  ssd: true,
  generationLeft: -1,
  model: 'FAKE',
  serial: `FAKE${disk.id}`,
  description: '',
  softEject: 'off',
  ...((disk.generationLeft ?? -1) === -1 && {
    sectorsCount: ALLOCATION_GROUPS * SECTORS_OF_GROUP,
    empty: true,
    noFua: false,
    noFlush: false,
    noTrim: false,
    isWbc: false,
    journaled: false,
    device: `/dev/fake${disk.id}`,
    agCount: ALLOCATION_GROUPS,
    agAllocated: 0,
    agFree: ALLOCATION_GROUPS,
    agFull: 0,
    agPartial: 0,
    agFreeing: 0,
    agMaxSizeFull: 0,
    agMaxSizePartial: 0,
    entriesCount: ENTRIES,
    entriesAllocated: 0,
    entriesFree: ENTRIES,
    objectsCount: ENTRIES,
    objectsAllocated: 0,
    objectsFree: ENTRIES,
    objectsOnDiskSize: 0,
    scrubbingStartedBefore: 0,
    scrubbedBytes: 0,
    scrubbingBW: 0,
    scrubbingFinishAfter: 0,
    scrubbingPausedFor: 0,
    scrubbingPaused: false,
    lastScrubCompleted: 0,
  }),
  ...disk,
});

/** The tags without those that have no value. */
export const withoutEmpty = (tags: Volume['tags']) =>
  Object.fromEntries(Object.entries(tags ?? {}).filter(([, value]) => value !== ''));

export const label = (kind: ObjectKind) => (kind === 'volume' ? 'Volume' : 'Snapshot');
