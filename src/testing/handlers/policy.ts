import type { Volume } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { label, type ObjectKind, withoutEmpty } from '../cluster/objects.js';
import { busy } from '../refusal.js';

/** Adds tags to the existing ones; an empty value removes a tag. */
export function change(
  object: Volume,
  { tags, ...fields }: Record<string, unknown> & { tags?: Volume['tags'] },
): void {
  Object.assign(object, fields);
  object.tags = withoutEmpty({ ...object.tags, ...tags });
}

/** Where and how often data is stored. Volumes and snapshots inherit it from what they are made of. */
const POLICY_NAMES = ['placeAll', 'placeTail', 'placeHead', 'replication', 'bw', 'iops', 'reuseServer'];
export const policyOf = (from: object) =>
  Object.fromEntries(Object.entries(from).filter(([name]) => POLICY_NAMES.includes(name)));

export function refuseIfAttached(cluster: FakeCluster, kind: ObjectKind, name: string): void {
  const [attachment] = cluster.attached.of(kind, name);
  if (attachment !== undefined) {
    throw busy(`${label(kind)} '${name}' is in use at client ${attachment.client}.`);
  }
}
