import { CALLS } from '../../api/calls.js';
import type { ApiCallName } from '../call-name.js';

/** The parts of a request's path. */
export interface Route {
  /** The path as `Api.call()` takes it: what follows `/ctrl/1.0/`, the cluster and `MultiCluster/`. */
  path: string;
  /** Its first part. */
  command: string;
  /** The rest of it; empty without one. */
  name: string;
  multiCluster: boolean;
  /** Whether the call is for all clusters. */
  allClusters: boolean;
  /** The remote cluster that the call is for; `undefined` for this one. */
  remote: string | undefined;
}

const TARGET =
  /^\/ctrl\/1\.0\/(?:RemoteCommand\/([^/?]+)\/)?(MultiCluster\/(AllClusters\/)?)?(([^/?]+)(?:\/([^?]+))?)(?:\?.*)?$/u;

/** @returns `undefined` for a path that is not one of the API */
export function parseRoute(target: string): Route | undefined {
  const [, remote, multi, all, path, command, name = ''] = TARGET.exec(target) ?? [];
  if (path === undefined || command === undefined) return undefined;
  return {
    path: decode(path),
    command: decode(command),
    name: decode(name),
    multiCluster: multi !== undefined,
    allClusters: all !== undefined,
    remote: remote && decode(remote),
  };
}

/** The calls that have a form for all clusters. */
const ALL_CLUSTERS = ['VolumesSpace', 'VolumeTemplatesStatus'];

/** The declared call of a request; `undefined` if there is none. */
export function callOf(
  method: string,
  { command, name, multiCluster, allClusters }: Route,
): ApiCallName | undefined {
  const found = Object.entries(CALLS).find(
    ([, call]) =>
      call.method === method &&
      call.path === command &&
      'name' in call === (name !== '') &&
      (allClusters ? ALL_CLUSTERS.includes(command) : 'multiCluster' in call || !multiCluster),
  );
  return found && !name.includes('/') ? (found[0] as ApiCallName) : undefined;
}

/** Decodes what clients escape, also where they need not. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
