import { CALLS } from '../../api/calls.js';
import type { ApiCallName } from '../call-name.js';

/** The path of a request, taken apart. */
export interface Route {
  /** What follows `/ctrl/1.0/`, the cluster and `MultiCluster/`: the path as `Api.call()` takes it. */
  path: string;
  /** Its first part. */
  command: string;
  /** The rest of it; empty without one. */
  name: string;
  multiCluster: boolean;
  /** Whether every cluster is to answer. */
  allClusters: boolean;
  /** The cluster that is to carry out the call; `undefined` for this one. */
  remote: string | undefined;
}

const TARGET =
  /^\/ctrl\/1\.0\/(?:RemoteCommand\/([^/?]+)\/)?(MultiCluster\/(AllClusters\/)?)?(([^/?]+)(?:\/([^?]+))?)(?:\?.*)?$/u;

/** Takes the path of a request apart; `undefined` where it is none of the API's. */
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

/** The calls that every cluster can be asked at once. */
const ALL_CLUSTERS = ['VolumesSpace', 'VolumeTemplatesStatus'];

/** The declared call that such a request makes; `undefined` if there is none. */
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

/** Some clients escape what need not be escaped. */
function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
