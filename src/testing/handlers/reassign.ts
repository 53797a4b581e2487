import type { ReassignEntry, Snapshot, Volume } from '../../api/types.js';
import type { FakeCluster } from '../cluster.js';
import { checkFields, clients, clientsOrAll, count, type Fields, flag, isRecord, text } from '../fields.js';
import { busy, invalid } from '../refusal.js';

const VOLUME_ENTRY: Fields = {
  'volume!': text,
  rw: clients,
  ro: clients,
  detach: clientsOrAll,
  force: flag,
  allowRemoteExported: flag,
  onRemoteAttached: text,
};
const SNAPSHOT_ENTRY: Fields = { 'snapshot!': text, ro: clients, detach: clientsOrAll, force: flag };

/** All entries are checked before the first is carried out: either all of them happen, or none. */
export function volumesReassign(cluster: FakeCluster, body: unknown): void {
  if (!Array.isArray(body)) throw invalid('VolumesReassign: the argument must be a list.');
  for (const change of body.map((entry) => prepare(cluster, entry))) change();
}

/** The fake's clients catch up at once. */
export function volumesReassignWait(cluster: FakeCluster, body: unknown): void {
  const { reassign } = checkFields<{ reassign: unknown }>(
    body,
    { 'reassign!': (value) => (Array.isArray(value) ? undefined : 'must be a list'), attachTimeout: count },
    'VolumesReassignWait',
  );
  volumesReassign(cluster, reassign);
}

function prepare(cluster: FakeCluster, given: unknown): () => void {
  const snapshot = isRecord(given) && Object.hasOwn(given, 'snapshot');
  const entry = checkFields<ReassignEntry>(
    given,
    snapshot ? SNAPSHOT_ENTRY : VOLUME_ENTRY,
    'VolumesReassign',
  );
  const kind = snapshot ? 'snapshot' : 'volume';
  const found: Volume | Snapshot = cluster.find(kind, (entry.volume ?? entry.snapshot) as string);
  const { name } = found;
  const { detach = [], force = false } = entry;
  const rw = (entry.rw ?? []).map(Number);
  const ro = (entry.ro ?? []).map(Number);
  const staying = [...rw, ...ro];
  const leaving =
    detach === 'all'
      ? cluster.attachmentsOf(kind, name).flatMap(({ client }) => (staying.includes(client) ? [] : [client]))
      : detach.map(Number);

  const named = [...leaving, ...staying];
  if (named.length === 0 && detach !== 'all')
    throw invalid(`VolumesReassign: the entry for '${name}' changes nothing.`);
  if (new Set(named).size < named.length) {
    throw invalid(`VolumesReassign: the entry for '${name}' names a client twice.`);
  }
  if (staying.length > 0 && found['transient'] === true) {
    throw invalid(`VolumesReassign: '${name}' is transient and cannot be attached.`);
  }
  const attached = cluster.attachmentsOf(kind, name).map(({ client }) => client);
  for (const client of leaving) {
    if (attached.includes(client) && cluster.isOpen(name, client) && !force) {
      throw busy(`${snapshot ? 'Snapshot' : 'Volume'} '${name}' is open at client ${client}.`);
    }
  }
  return () => {
    for (const client of leaving) cluster.detach(name, snapshot, client);
    for (const client of rw) cluster.attach(name, snapshot, client, 'rw');
    for (const client of ro) cluster.attach(name, snapshot, client, 'ro');
  };
}
