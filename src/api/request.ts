import { ApiArgumentError } from './errors/api-argument-error.js';
import { checkClientId, checkClusterName, checkName, quote } from './names.js';
import type { ReassignEntry } from './types.js';

const PATH = /^[A-Za-z0-9_~*#@:.\-%]+(?:\/[A-Za-z0-9_~*#@:.\-%]+)*$/u;

/**
 * The path of a call on the server.
 *
 * @throws {@link ApiArgumentError} for anything that could lead to another call or another header.
 */
export function requestPath(path: string, multiCluster = false, clusterName?: string): string {
  if (typeof path !== 'string' || !PATH.test(path) || path.split(SEPARATOR).some(isStep)) {
    throw new ApiArgumentError(
      `${quote(path)} is not the path of an API call: give it as "VolumeGetInfo/NAME", without a query`,
    );
  }
  const remote = clusterName === undefined ? '' : `RemoteCommand/${checkClusterName(clusterName)}/`;
  return `/ctrl/1.0/${remote}${multiCluster ? 'MultiCluster/' : ''}${path}`;
}

/** Escapes count as what they stand for, because a server may decode them before it takes the path apart. */
const SEPARATOR = /\/|%2f|%5c/iu;
const isStep = (part: string) => /^(?:\.|%2e){1,2}$/iu.test(part);

/** Deeper arguments are taken for circles. */
const DEEPEST = 100;

/**
 * Compact JSON without null members, at any depth, as the reference sends it. A `Set` becomes a list, a `Map` an object.
 *
 * @throws {@link ApiArgumentError} for what JSON cannot say, or says otherwise: `NaN`, `-0`, a `Date`, a function.
 */
export const toJson = (value: unknown): string => JSON.stringify(plain(value, 'the argument', DEEPEST));

function plain(value: unknown, where: string, levels: number): unknown {
  const refuse = (what: string) => new ApiArgumentError(`${where} ${what}`);
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) {
    throw refuse(`is ${Object.is(value, -0) ? '-0' : value}, which JSON does not have: give another number`);
  }
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
    throw refuse(`is a ${typeof value}: give a string, a number, a boolean, a list or an object`);
  }
  if (typeof value !== 'object' || value === null) return value;
  if (levels === 0) throw refuse(`is nested deeper than ${DEEPEST} levels: is there a circle in it?`);
  if (Array.isArray(value) || value instanceof Set) {
    return [...value].filter(isSet).map((item, at) => plain(item, `${where}[${at}]`, levels - 1));
  }
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    throw refuse('is an object with a JSON of its own: give a Date in seconds since 1970, others as strings');
  }
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return Object.fromEntries(
    members
      .filter(([, member]) => isSet(member))
      .map(([name, member]) => [name, plain(member, `${where}.${String(name)}`, levels - 1)]),
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
      for (const client of clients ?? []) checkClientId(client, `${name}: `);
    }
    return { ...entry, force: entry.force ?? false };
  });
}
