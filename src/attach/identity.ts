import type { Attachment } from '../api/types.js';

/** What tells volumes and snapshots apart. @internal */
export interface Identity {
  /** Its name. It may get another one, and another volume this one. */
  volume: string;
  /** Whether it is a snapshot. A mock may leave that out. */
  snapshot?: boolean | undefined;
  /** Its global ID, without `~`, where it is known. */
  globalId?: string | undefined;
}

/** The part of an attachment that matters here. */
export interface AttachmentState extends Pick<Attachment, 'volume' | 'snapshot' | 'client' | 'rights'> {
  /** The global ID of the volume or snapshot, without `~`. */
  globalId?: string | undefined;
}

/** Whether two are the same: by their global IDs if both are known, otherwise by name and kind. @internal */
export function isSame(one: Identity, other: Identity): boolean {
  if (one.globalId && other.globalId) return one.globalId === other.globalId;
  if (one.volume !== other.volume) return false;
  return one.snapshot === undefined || other.snapshot === undefined || one.snapshot === other.snapshot;
}

/** As {@link isSame}, but not where only one global ID is known: then the name alone may mislead. @internal */
export const isCertainlySame = (one: Identity, other: Identity): boolean =>
  Boolean(one.globalId) === Boolean(other.globalId) && isSame(one, other);

/** The attachment of a volume or snapshot, if it has one. @internal */
export const attachmentOf = (wanted: Identity, attachments: readonly AttachmentState[]) =>
  attachments.find((attachment) => isSame(wanted, attachment));

/** Whether a volume or snapshot is attached, with at least the rights that are wanted. @internal */
export const isAttached = (wanted: Identity & { rights: 1 | 2 }, attachments: readonly AttachmentState[]) =>
  attachments.some((one) => isSame(wanted, one) && (wanted.rights === 1 || one.rights === 'rw'));
