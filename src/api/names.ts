import { ApiArgumentError } from './errors/api-argument-error.js';

/** The kinds of objects that the StorPool API knows by name. */
export type NameKind = 'volume' | 'snapshot';

const MAX_LENGTH = 200;
const NAMES: Record<NameKind, RegExp> = {
  volume: /^#?[A-Za-z0-9_\-.:]+$/u,
  snapshot: /^\*?[A-Za-z0-9_\-.:@]+$/u,
};
const GLOBAL_ID = /^~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+$/u;
const CLUSTER_NAME = /^[A-Za-z0-9_\-.]+$/u;

/** To a proxy on the way these are steps in the path, not names. */
const isPathStep = (name: string) => name === '.' || name === '..';

/** Whether the API could have a volume or snapshot of that name, or with that global ID (`~…`). */
export function isName(kind: NameKind, name: unknown): name is string {
  if (typeof name !== 'string' || name.length > MAX_LENGTH || isPathStep(name)) return false;
  return NAMES[kind].test(name) || GLOBAL_ID.test(name);
}

/** @throws {@link ApiArgumentError} when there can be no such volume or snapshot. */
export function checkName(kind: NameKind, name: unknown): string {
  if (isName(kind, name)) return name;
  throw new ApiArgumentError(
    `${quote(name)} is not the name of a ${kind}: use letters, digits and _-.:${kind === 'snapshot' ? '@' : ''}, at most ${MAX_LENGTH}, or a global ID as ~a.b.c`,
  );
}

/** @throws {@link ApiArgumentError} when there can be no such cluster. */
export function checkClusterName(name: unknown): string {
  if (typeof name === 'string' && name.length <= MAX_LENGTH && !isPathStep(name) && CLUSTER_NAME.test(name)) {
    return name;
  }
  throw new ApiArgumentError(`${quote(name)} is not the name of a cluster: use letters, digits and _-.`);
}

/** Whether a client could have that ID. */
export const isClientId = (id: unknown): id is number => Number.isSafeInteger(id) && (id as number) > 0;

/** A value of whatever kind, short enough for a message. */
export function quote(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
