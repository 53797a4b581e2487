import { CALLS } from '../../api/calls.js';
import type { ApiCallName } from '../call-name.js';

/** A request, taken apart. */
export interface Route {
  call: ApiCallName;
  name: string;
  multiCluster: boolean;
  remote: string | undefined;
}

const TARGET =
  /^\/ctrl\/1\.0\/(?:RemoteCommand\/([^/?]+)\/)?(MultiCluster\/)?([^/?]+)(?:\/([^/?]+))?(?:\?.*)?$/u;

/** What call the request makes, or `undefined` if there is no such call. */
export function route(method: string, target: string): Route | undefined {
  const [, remote, multi, path, name] = TARGET.exec(target) ?? [];
  const multiCluster = multi !== undefined;
  for (const [call, spec] of Object.entries(CALLS)) {
    const named = 'name' in spec;
    if (
      spec.method === method &&
      spec.path === path &&
      named === (name !== undefined) &&
      (spec.multiCluster || !multiCluster)
    ) {
      return { call: call as ApiCallName, name: name ?? '', multiCluster, remote };
    }
  }
  return undefined;
}
