import type { Attachment, Disk, ISCSI, Snapshot, Volume, VolumeTemplate } from '../../api/types.js';
import { absent } from '../refusal.js';
import { FakeAttachments } from './attachments.js';
import { checkClient, FakeClients } from './clients.js';
import {
  FakeObjects,
  type FakeVolume,
  makeDisk,
  makeTemplate,
  NO_VOLUME,
  type ObjectKind,
} from './objects.js';

/** An object of the fake cluster: its name, or its fields, of which only the name is required. */
export type FakeObject<T> = string | T;

/** An attachment of the fake cluster. */
export interface FakeAttachment {
  /** The name of the volume or snapshot. */
  volume: string;
  /** The ID of the client. Default: the host under test. */
  client?: number | undefined;
  /** The rights. Default: `rw` for a volume, `ro` for a snapshot. */
  rights?: 'rw' | 'ro' | undefined;
  /** Whether it is a snapshot. Default: whether there is a snapshot of that name. */
  snapshot?: boolean | undefined;
}

/** The initial state of a fake cluster. */
export interface FakeClusterOptions {
  /** The volumes: names, or objects with fields of your own. */
  volumes?: readonly FakeObject<Volume>[] | undefined;
  /** The snapshots: names, or objects with fields of your own. */
  snapshots?: readonly FakeObject<Snapshot>[] | undefined;
  /** The attachments. */
  attachments?: readonly FakeAttachment[] | undefined;
  /** The IDs of the registered clients, besides the host under test and those with attachments. Default: 1 to 4095. */
  clients?: readonly number[] | undefined;
  /** The templates: names, or objects with fields of your own. */
  templates?: readonly FakeObject<VolumeTemplate>[] | undefined;
  /** The disks: IDs, or objects with fields of your own. Default: three disks. */
  disks?: readonly (number | Disk)[] | undefined;
  /** The iSCSI configuration. Default: an empty one. */
  iscsi?: ISCSI | undefined;
}

/** The current state of a fake cluster. */
export interface FakeState {
  /** The volumes as they are now. */
  readonly volumes: Volume[];
  /** The snapshots as they are now. */
  readonly snapshots: Snapshot[];
  /** The attachments as they are now. */
  readonly attachments: Attachment[];
}

/**
 * The state of a fake cluster, and the look-ups that its calls share.
 *
 * @internal
 */
export class FakeCluster implements FakeState {
  readonly objects: Readonly<Record<ObjectKind, FakeObjects>>;
  readonly attached = new FakeAttachments();
  readonly templates = new Map<string, VolumeTemplate>();
  readonly disks: readonly Disk[];
  readonly clients: FakeClients;
  iscsi: ISCSI;
  /** Counts the changes. */
  generation = 1;
  readonly #open = new Set<string>();
  #lastId = 0;

  constructor(options: FakeClusterOptions, clientId: number) {
    const newId = () => ++this.#lastId;
    this.objects = { volume: new FakeObjects('volume', newId), snapshot: new FakeObjects('snapshot', newId) };
    for (const template of asObjects(options.templates)) {
      this.templates.set(template.name, makeTemplate(template));
    }
    for (const volume of asObjects(options.volumes)) this.objects.volume.create(volume);
    for (const snapshot of asObjects(options.snapshots)) this.objects.snapshot.create(snapshot);
    const clients = new Set(options.clients?.map(checkClient)).add(clientId);
    for (const { volume, client = clientId, ...rest } of options.attachments ?? []) {
      const isVolume = this.objects.volume.get(volume) !== undefined;
      const snapshot = rest.snapshot ?? (!isVolume && this.objects.snapshot.get(volume) !== undefined);
      clients.add(checkClient(client));
      this.attach(snapshot ? 'snapshot' : 'volume', volume, client, rest.rights ?? (snapshot ? 'ro' : 'rw'));
    }
    this.clients = new FakeClients(clients, options.clients === undefined);
    this.disks = (options.disks ?? [101, 201, 301]).map((disk) =>
      makeDisk(typeof disk === 'number' ? { id: disk } : disk),
    );
    this.iscsi = options.iscsi ?? {
      baseName: 'iqn.2019-08.example:fake',
      initiators: {},
      portalGroups: {},
      targets: {},
    };
  }

  get volumes(): FakeVolume[] {
    return this.objects.volume.list();
  }

  get snapshots(): FakeVolume[] {
    return this.objects.snapshot.list();
  }

  get attachments(): Attachment[] {
    return this.attached.list();
  }

  /** The volume or snapshot of that name or global ID (`~…`). */
  find(kind: ObjectKind, name: string): FakeVolume {
    return this.objects[kind].find(name);
  }

  /** Renames it in its attachments, its snapshots and what is based on it, too. */
  rename(kind: ObjectKind, object: FakeVolume, name: string): void {
    const before = object.name;
    const children = kind === 'snapshot' ? this.childrenOf(object) : [];
    this.objects[kind].rename(object, name);
    this.attached.rename(kind, before, name);
    for (const { client } of this.attached.of(kind, name)) {
      if (this.#open.delete(openKey(before, client))) this.open(name, client);
    }
    for (const child of children) child.parentName = name;
    if (kind === 'volume') this.#snapshotsAreOf(before, name);
  }

  /** Deletes it. What is based on it gets its parent. */
  delete(kind: ObjectKind, object: FakeVolume): void {
    if (kind === 'snapshot') {
      for (const child of this.childrenOf(object)) child.parentName = object.parentName;
    } else this.#snapshotsAreOf(object.name, NO_VOLUME);
    this.objects[kind].delete(object);
  }

  template(name: string): VolumeTemplate {
    const template = this.templates.get(name);
    if (template === undefined) throw absent('Template', name);
    return template;
  }

  attach(kind: ObjectKind, name: string, client: number, rights: 'rw' | 'ro'): void {
    const globalId = this.objects[kind].get(name)?.globalId ?? `fake.b.${(++this.#lastId).toString(36)}`;
    this.attached.add({ volume: name, snapshot: kind === 'snapshot', client, rights, globalId });
  }

  detach(kind: ObjectKind, name: string, client: number): void {
    this.attached.delete(kind, name, client);
    this.release(name, client);
  }

  open(name: string, client: number): void {
    const { volume, snapshot } = this.objects;
    if (!volume.get(name) && !snapshot.get(name) && !this.attached.has(name)) {
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

  /** A name like those of the snapshots that the service makes for itself. */
  autoName(): string {
    return `*fake.b.${(++this.#lastId).toString(36)}`;
  }

  #snapshotsAreOf(volume: string, name: string): void {
    for (const snapshot of this.snapshots) if (snapshot['onVolume'] === volume) snapshot['onVolume'] = name;
  }

  /** The volumes and snapshots that are based on a snapshot. */
  childrenOf(snapshot: FakeVolume): FakeVolume[] {
    return [...this.volumes, ...this.snapshots].filter((one) => one.parentName === snapshot.name);
  }
}

const asObjects = <T extends { name: string }>(given: readonly FakeObject<T>[] = []) =>
  given.map((one) => (typeof one === 'string' ? { name: one } : one));

const openKey = (name: string, client: number) => `${client}/${name}`;
