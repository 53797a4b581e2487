import { ApiArgumentError } from './errors/api-argument-error.js';
import { checkClusterName, checkName, isClientId, quote } from './names.js';
import type { ReassignEntry } from './types.js';

/** What decides the path of a request. */
export interface PathParts {
  path: string;
  multiCluster: boolean;
  clusterName: string | undefined;
}

const PATH = /^[A-Za-z0-9_~*#@:.\-%]+(?:\/[A-Za-z0-9_~*#@:.\-%]+)*$/u;

/**
 * The path of a call on the server.
 *
 * @throws {@link ApiArgumentError} for anything that could lead to another call or another header.
 */
export function requestPath({ path, multiCluster, clusterName }: PathParts): string {
  if (typeof path !== 'string' || !PATH.test(path) || path.split(SEPARATOR).some(isStep)) {
    throw new ApiArgumentError(
      `${quote(path)} is not the path of an API call: give it as "VolumeGetInfo/NAME", without a query`,
    );
  }
  const remote = clusterName === undefined ? '' : `RemoteCommand/${checkClusterName(clusterName)}/`;
  return `/ctrl/1.0/${remote}${multiCluster ? 'MultiCluster/' : ''}${path}`;
}

/** What an escape stands for counts, since whoever decodes it takes it for that. */
const SEPARATOR = /\/|%2f|%5c/iu;
const isStep = (part: string) => /^(?:\.|%2e){1,2}$/iu.test(part);

/** Compact JSON without null members, at any depth, as the reference sends it. */
export const toJson = (value: unknown): string => JSON.stringify(dropNulls(value));

function dropNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.filter(isSet).map(dropNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => isSet(member))
      .map(([name, member]) => [name, dropNulls(member)]),
  );
}

const isSet = (value: unknown) => value !== null && value !== undefined;

/**
 * The entries of a reassignment as they are sent, `force` always spelled out.
 *
 * @throws {@link ApiArgumentError} for an entry that is neither a volume's nor a snapshot's, or for a snapshot read/write.
 */
export function reassignBody(entries: readonly ReassignEntry[]): ReassignEntry[] {
  if (!Array.isArray(entries)) {
    throw new ApiArgumentError('a reassignment is a list of entries: [{ volume, rw: [clientId] }]');
  }
  return entries.map((entry: ReassignEntry) => {
    if (typeof entry !== 'object' || entry === null) {
      throw new ApiArgumentError(
        `${quote(entry)} is not an entry of a reassignment: give { volume, rw: [clientId] }`,
      );
    }
    const { volume, snapshot, rw, ro, detach } = entry;
    if ((volume === undefined) === (snapshot === undefined)) {
      throw new ApiArgumentError('an entry of a reassignment names either a volume or a snapshot');
    }
    const name =
      snapshot === undefined
        ? `volume ${checkName('volume', volume)}`
        : `snapshot ${checkName('snapshot', snapshot)}`;
    if (snapshot !== undefined && rw !== undefined) {
      throw new ApiArgumentError(`${name} cannot be attached read/write: use ro`);
    }
    for (const clients of [rw, ro, detach === 'all' ? [] : detach]) {
      if (clients !== undefined && !Array.isArray(clients)) {
        throw new ApiArgumentError(`${name}: ${quote(clients)} is not a list of client IDs`);
      }
      for (const client of clients ?? []) {
        if (!isClientId(client)) {
          throw new ApiArgumentError(`${name}: ${String(client)} is not a client ID, a number from 1 on`);
        }
      }
    }
    return { ...entry, force: entry.force ?? false };
  });
}
