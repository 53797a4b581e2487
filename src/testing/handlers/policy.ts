import type { Volume } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { label, type ObjectKind, withoutEmpty } from '../cluster/objects.js';
import { busy } from '../refusal.js';

/** Tags are added to those that are there; an empty one removes its name. */
export function change(
  object: Volume,
  { tags, ...fields }: Record<string, unknown> & { tags?: Volume['tags'] },
): void {
  Object.assign(object, fields);
  object.tags = withoutEmpty({ ...object.tags, ...tags });
}

/** Where and how often the data is kept, as volumes and snapshots take it over from what they are made of. */
const POLICY_NAMES = ['placeAll', 'placeTail', 'placeHead', 'replication', 'bw', 'iops', 'reuseServer'];
export const policyOf = (from: object) =>
  Object.fromEntries(Object.entries(from).filter(([name]) => POLICY_NAMES.includes(name)));

export function refuseIfAttached(cluster: FakeCluster, kind: ObjectKind, name: string): void {
  const [attachment] = cluster.attached.of(kind, name);
  if (attachment !== undefined) {
    throw busy(`${label(kind)} '${name}' is in use at client ${attachment.client}.`);
  }
}
