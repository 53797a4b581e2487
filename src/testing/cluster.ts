import type { NameKind } from '../api/names.js';
import { isClientId, isName } from '../api/names.js';
import type { Attachment, Disk, ISCSI, Snapshot, Volume, VolumeTemplate } from '../api/types.js';
import { FakeClients } from './clients.js';
import { absent, exists, invalid } from './refusal.js';

/** A volume or snapshot of the fake cluster: its name, or its fields, of which only the name must be given. */
export type FakeObject<T> = string | T;

/** A volume or snapshot as the fake keeps it: with the fields that every one has. */
export type FakeVolume = Volume & Required<Pick<Volume, 'globalId' | 'size' | 'templateName' | 'parentName'>>;

/** An attachment of the fake cluster. */
export interface FakeAttachment {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Default: this host. */
  client?: number | undefined;
  /** Default: `rw` for a volume, `ro` for a snapshot. */
  rights?: 'rw' | 'ro' | undefined;
  /** Default: whether there is a snapshot of that name. */
  snapshot?: boolean | undefined;
}

/** What a fake cluster has in the beginning. */
export interface FakeClusterOptions {
  /** Names, or volumes with fields of your own. */
  volumes?: readonly FakeObject<Volume>[] | undefined;
  /** Names, or snapshots with fields of your own. */
  snapshots?: readonly FakeObject<Snapshot>[] | undefined;
  /** What is attached, and where. */
  attachments?: readonly FakeAttachment[] | undefined;
  /** Names, or templates with fields of your own. */
  templates?: readonly FakeObject<VolumeTemplate>[] | undefined;
  /** IDs, or disks. Default: three disks. */
  disks?: readonly (number | Disk)[] | undefined;
  /** The iSCSI configuration. Default: an empty one. */
  iscsi?: ISCSI | undefined;
}

const GIB = 1024 ** 3;

/** What a test may see of a fake cluster. */
export interface FakeState {
  /** The volumes as they are now. */
  readonly volumes: Volume[];
  /** The snapshots as they are now. */
  readonly snapshots: Snapshot[];
  /** The attachments as they are now. */
  readonly attachments: Attachment[];
}

/** The state of a fake cluster, and the look-ups that its calls have in common. */
export class FakeCluster {
  readonly volumes: FakeVolume[] = [];
  readonly snapshots: (FakeVolume & Snapshot)[] = [];
  readonly attachments: Attachment[] = [];
  readonly templates: VolumeTemplate[] = [];
  readonly disks: Disk[];
  readonly clients = new FakeClients();
  iscsi: ISCSI;
  /** Counts the changes. */
  generation = 1;
  readonly #open = new Set<string>();
  #lastId = 0;

  constructor(options: FakeClusterOptions, clientId: number) {
    for (const template of options.templates ?? []) {
      this.templates.push(typeof template === 'string' ? { name: template } : { ...template });
    }
    for (const volume of options.volumes ?? []) this.create('volume', asObject(volume));
    for (const snapshot of options.snapshots ?? []) this.create('snapshot', asObject(snapshot));
    for (const { volume, client = clientId, ...rest } of options.attachments ?? []) {
      const snapshot = rest.snapshot ?? this.snapshots.some(({ name }) => name === volume);
      this.attach(volume, snapshot, checkClient(client), rest.rights ?? (snapshot ? 'ro' : 'rw'));
    }
    this.disks = (options.disks ?? [101, 201, 301]).map((disk) =>
      typeof disk === 'number' ? { id: disk, serverId: Math.floor(disk / 100) } : { ...disk },
    );
    this.iscsi = options.iscsi ?? {
      baseName: 'iqn.2019-08.example:fake',
      initiators: {},
      portalGroups: {},
      targets: {},
    };
  }

  /** Adds a volume or a snapshot. Its name must be free. */
  create<T extends Volume>(kind: NameKind, fields: T): T & FakeVolume {
    this.#checkFree(kind, fields.name);
    const made = this.#object(fields);
    this.#all(kind).push(made);
    return made as T & FakeVolume;
  }

  /** The volume or snapshot of that name or global ID (`~…`). */
  find(kind: NameKind, name: string): FakeVolume {
    const object = this.#all(kind).find((one) => one.name === name || `~${one.globalId}` === name);
    if (object === undefined) throw absent(label(kind), name);
    return object;
  }

  /** Gives it another name; its attachments go with it. */
  rename(kind: NameKind, object: FakeVolume, name: string): void {
    this.#checkFree(kind, name);
    for (const attachment of this.attachmentsOf(kind, object.name)) {
      attachment.volume = name;
      if (this.#open.delete(openKey(object.name, attachment.client))) this.open(name, attachment.client);
    }
    object.name = name;
  }

  delete(kind: NameKind, object: FakeVolume): void {
    this.#all(kind).splice(this.#all(kind).indexOf(object), 1);
  }

  template(name: string): VolumeTemplate {
    const template = this.templates.find((one) => one.name === name);
    if (template === undefined) throw absent('Template', name);
    return template;
  }

  attachmentsOf(kind: NameKind, name: string): Attachment[] {
    return this.attachments.filter((one) => one.volume === name && one.snapshot === (kind === 'snapshot'));
  }

  attach(volume: string, snapshot: boolean, client: number, rights: 'rw' | 'ro'): void {
    const kind = snapshot ? 'snapshot' : 'volume';
    const before = this.attachmentsOf(kind, volume).find((one) => one.client === client);
    if (before !== undefined) {
      before.rights = rights;
      return;
    }
    const taken = new Set(this.attachments.filter((one) => one.client === client).map(({ pos }) => pos));
    let pos = 0;
    while (taken.has(pos)) pos++;
    const globalId = this.#all(kind).find(({ name }) => name === volume)?.globalId ?? this.#newId();
    this.attachments.push({ volume, snapshot, client, rights, pos, globalId });
  }

  detach(volume: string, snapshot: boolean, client: number): void {
    const at = this.attachments.findIndex(
      (one) => one.volume === volume && one.snapshot === snapshot && one.client === client,
    );
    if (at >= 0) this.attachments.splice(at, 1);
    this.release(volume, client);
  }

  open(name: string, client: number): void {
    const known = [...this.volumes, ...this.snapshots].map((one) => one.name);
    if (!known.includes(name) && !this.attachments.some(({ volume }) => volume === name)) {
      throw absent('Volume or snapshot', name);
    }
    this.#open.add(openKey(name, client));
  }

  release(name: string, client: number): void {
    this.#open.delete(openKey(name, client));
  }

  isOpen(name: string, client: number): boolean {
    return this.#open.has(openKey(name, client));
  }

  #all(kind: NameKind): FakeVolume[] {
    return kind === 'volume' ? this.volumes : this.snapshots;
  }

  #checkFree(kind: NameKind, name: string): void {
    if (!isName(kind, name) || name.startsWith('~')) {
      throw invalid(`'${name}' is not a name for a ${kind}.`);
    }
    if (this.#all(kind).some((one) => one.name === name)) throw exists(label(kind), name);
  }

  #object(fields: Volume): FakeVolume {
    return {
      globalId: this.#newId(),
      size: GIB,
      replication: 3,
      templateName: '',
      parentName: '',
      creationTimestamp: 1_700_000_000 + this.#lastId,
      ...fields,
      tags: withoutEmpty(fields.tags),
    };
  }

  /** A name such as the service makes up for snapshots that are given none. */
  autoName(): string {
    return `*${this.#newId()}`;
  }

  /** Whatever is based on a snapshot. */
  childrenOf(snapshot: FakeVolume): FakeVolume[] {
    return [...this.volumes, ...this.snapshots].filter((one) => one.parentName === snapshot.name);
  }

  #newId(): string {
    this.#lastId++;
    return `fake.b.${this.#lastId.toString(36)}`;
  }
}

const asObject = (given: FakeObject<Volume>): Volume => (typeof given === 'string' ? { name: given } : given);

/** A tag without a value is none. */
export const withoutEmpty = (tags: Volume['tags']) =>
  Object.fromEntries(Object.entries(tags ?? {}).filter(([, value]) => value !== ''));

export const label = (kind: NameKind) => (kind === 'volume' ? 'Volume' : 'Snapshot');

const openKey = (name: string, client: number) => `${client}/${name}`;

export function checkClient(id: number): number {
  if (isClientId(id)) return id;
  throw new TypeError(`${String(id)} is not a client ID, a number from 1 to 4095`);
}
