import type { ReassignEntry, ReassignWait } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { label, type ObjectKind } from '../cluster/objects.js';
import {
  checkFields,
  clients,
  clientsOrAll,
  count,
  type Fields,
  flag,
  isRecord,
  list,
  string,
} from '../fields.js';
import { busy, invalid } from '../refusal.js';

const VOLUME_ENTRY: Fields = {
  'volume!': string,
  rw: clients,
  ro: clients,
  detach: clientsOrAll,
  force: flag,
  allowRemoteExported: flag,
  onRemoteAttached: string,
};
const SNAPSHOT_ENTRY: Fields = { 'snapshot!': string, ro: clients, detach: clientsOrAll, force: flag };

/** Checks all entries before it carries out the first, so that all of them happen, or none. */
export function volumesReassign(cluster: FakeCluster, body: unknown): void {
  if (!Array.isArray(body)) throw invalid('VolumesReassign: the argument must be a list.');
  for (const change of body.map((entry) => prepare(cluster, entry))) change();
}

/** @param body - may be a bare list, too, as for `volumesReassign` */
export function volumesReassignWait(cluster: FakeCluster, body: unknown): void {
  volumesReassign(cluster, waitArgument(body).reassign);
}

/** Which clients have to catch up before the reply, and how many seconds to wait at most. */
export function whomToWaitFor(body: unknown): { clients: number[]; seconds: number } {
  const { reassign, attachTimeout = Number.POSITIVE_INFINITY } = waitArgument(body);
  const clients = reassign.flatMap(({ rw = [], ro = [] }) => [...rw, ...ro].map(Number));
  return { clients, seconds: attachTimeout };
}

function waitArgument(body: unknown): ReassignWait {
  if (Array.isArray(body)) return { reassign: body };
  return checkFields<ReassignWait>(body, { 'reassign!': list, attachTimeout: count }, 'VolumesReassignWait');
}

function prepare(cluster: FakeCluster, given: unknown): () => void {
  const snapshot = isRecord(given) && Object.hasOwn(given, 'snapshot');
  const entry = checkFields<ReassignEntry>(
    given,
    snapshot ? SNAPSHOT_ENTRY : VOLUME_ENTRY,
    'VolumesReassign',
  );
  const kind = snapshot ? 'snapshot' : 'volume';
  const found = cluster.find(kind, (entry.volume ?? entry.snapshot) as string);
  const { name } = found;
  const { detach = [], force = false } = entry;
  const rw = (entry.rw ?? []).map(Number);
  const ro = (entry.ro ?? []).map(Number);
  const staying = [...rw, ...ro];
  const attached = cluster.attached.of(kind, name).map(({ client }) => client);
  const leaving =
    detach === 'all' ? attached.filter((client) => !staying.includes(client)) : detach.map(Number);

  const named = [...leaving, ...staying];
  if (named.length === 0 && detach !== 'all')
    throw invalid(`VolumesReassign: the entry for '${name}' changes nothing.`);
  if (new Set(named).size < named.length) {
    throw invalid(`VolumesReassign: the entry for '${name}' names a client twice.`);
  }
  if (staying.length > 0 && found['transient'] === true) {
    throw invalid(`VolumesReassign: '${name}' is transient and cannot be attached.`);
  }
  for (const client of named) cluster.clients.checkRegistered(client);
  const losing = attached.filter((client) => leaving.includes(client));
  if (!force) refuseIfOpen(cluster, kind, name, losing);
  return () => {
    for (const client of leaving) cluster.detach(kind, name, client);
    for (const client of rw) cluster.attach(kind, name, client, 'rw');
    for (const client of ro) cluster.attach(kind, name, client, 'ro');
  };
}

/** Detaches an object before it is deleted. */
export function detachFromAll(cluster: FakeCluster, kind: ObjectKind, name: string, force: boolean): void {
  const clients = cluster.attached.of(kind, name).map(({ client }) => client);
  if (!force) refuseIfOpen(cluster, kind, name, clients);
  for (const client of clients) cluster.detach(kind, name, client);
}

function refuseIfOpen(cluster: FakeCluster, kind: ObjectKind, name: string, clients: number[]): void {
  const client = clients.find((one) => cluster.isOpen(name, one));
  if (client !== undefined) throw busy(`${label(kind)} '${name}' is open at client ${client}.`);
}
