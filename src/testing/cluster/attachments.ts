import type { Attachment } from '../../api/types.js';
import type { ObjectKind } from './objects.js';

/** An attachment without a position. */
export type NewAttachment = Pick<Attachment, 'volume' | 'snapshot' | 'client' | 'rights' | 'globalId'>;

/** The attachments of a cluster, found by object and by client. */
export class FakeAttachments {
  readonly #all = new Set<Attachment>();
  readonly #byObject = new Map<string, Map<number, Attachment>>();
  readonly #byClient = new Map<number, ClientAttachments>();

  list(): Attachment[] {
    return [...this.#all];
  }

  of(kind: ObjectKind, name: string): Attachment[] {
    return [...(this.#byObject.get(key(kind, name))?.values() ?? [])];
  }

  ofClient(client: number): Attachment[] {
    return [...(this.#byClient.get(client)?.all ?? [])];
  }

  has(name: string): boolean {
    return this.#byObject.has(key('volume', name)) || this.#byObject.has(key('snapshot', name));
  }

  /** Adds an attachment, or changes the rights of an existing one. */
  add(attachment: NewAttachment): void {
    const { client } = attachment;
    const object = key(attachment.snapshot ? 'snapshot' : 'volume', attachment.volume);
    const clients = getOrMake(this.#byObject, object, () => new Map<number, Attachment>());
    const before = clients.get(client);
    if (before !== undefined) {
      before.rights = attachment.rights;
      return;
    }
    const made = getOrMake(this.#byClient, client, () => new ClientAttachments()).add(attachment);
    clients.set(client, made);
    this.#all.add(made);
  }

  delete(kind: ObjectKind, name: string, client: number): void {
    const clients = this.#byObject.get(key(kind, name));
    const attachment = clients?.get(client);
    if (clients === undefined || attachment === undefined) return;
    clients.delete(client);
    if (clients.size === 0) this.#byObject.delete(key(kind, name));
    this.#byClient.get(client)?.delete(attachment);
    this.#all.delete(attachment);
  }

  rename(kind: ObjectKind, before: string, name: string): void {
    const clients = this.#byObject.get(key(kind, before));
    if (clients === undefined) return;
    this.#byObject.delete(key(kind, before));
    this.#byObject.set(key(kind, name), clients);
    for (const attachment of clients.values()) attachment.volume = name;
  }
}

/** The attachments of one client. Each gets the lowest free position. */
class ClientAttachments {
  readonly all = new Set<Attachment>();
  readonly #taken = new Set<number>();
  /** All positions below it are taken. */
  #lowestFree = 0;

  add(attachment: NewAttachment): Attachment {
    while (this.#taken.has(this.#lowestFree)) this.#lowestFree++;
    const made = { ...attachment, pos: this.#lowestFree };
    this.#taken.add(made.pos);
    this.all.add(made);
    return made;
  }

  delete(attachment: Attachment): void {
    const pos = attachment.pos as number;
    this.all.delete(attachment);
    this.#taken.delete(pos);
    this.#lowestFree = Math.min(this.#lowestFree, pos);
  }
}

const key = (kind: ObjectKind, name: string) => `${kind}/${name}`;

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
