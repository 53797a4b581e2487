import { ApiArgumentError } from './errors/api-argument-error.js';

/** What can be attached. */
export type NameKind = 'volume' | 'snapshot';

/** The kinds of objects that the StorPool API knows by name. */
export type ObjectKind = NameKind | 'template' | 'placement group';

interface NameRule {
  pattern: RegExp;
  longest: number;
  /** Words that the API keeps for itself. */
  reserved: readonly string[];
  /** The pattern in words. */
  allowed: string;
}

const ATTACHABLE = { longest: 199, reserved: ['list', 'status'] };
const GROUPING = { pattern: /^[A-Za-z0-9_-]+$/u, reserved: ['list'], allowed: 'letters, digits and _-' };
const RULES: Record<ObjectKind, NameRule> = {
  volume: {
    ...ATTACHABLE,
    pattern: /^(?:#?[A-Za-z0-9_\-.:]+|~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+)$/u,
    allowed: 'letters, digits and _-.:, or a global ID such as ~a.b.c',
  },
  snapshot: {
    ...ATTACHABLE,
    pattern: /^(?:\*?[A-Za-z0-9_\-.:@]+|~[a-z0-9]+\.[a-z0-9]+\.[a-z0-9]+)$/u,
    allowed: 'letters, digits and _-.:@, or a global ID such as ~a.b.c',
  },
  template: { ...GROUPING, longest: 199 },
  'placement group': { ...GROUPING, longest: 127 },
};
const CLUSTER_NAME = /^[#~]?[A-Za-z0-9_\-.:]+$/u;
const LONGEST_CLUSTER_NAME = 199;
const MAX_CLIENT_ID = 4095;

/** To a proxy on the way these are steps in the path, not names. */
const isPathStep = (name: string) => name === '.' || name === '..';

/** Whether the API could have such an object of that name, or with that global ID (`~…`). */
export function isName(kind: ObjectKind, name: unknown): name is string {
  const { pattern, longest, reserved } = RULES[kind];
  if (typeof name !== 'string' || name.length > longest || isPathStep(name)) return false;
  return pattern.test(name) && !reserved.includes(name);
}

/** @throws {@link ApiArgumentError} when there can be no such object. */
export function checkName(kind: ObjectKind, name: unknown): string {
  if (isName(kind, name)) return name;
  const { allowed, longest, reserved } = RULES[kind];
  throw new ApiArgumentError(
    `${quote(name)} is not the name of a ${kind}: use ${allowed}, at most ${longest} characters, and not "${reserved.join('" or "')}"`,
  );
}

/** @throws {@link ApiArgumentError} when there can be no such cluster. */
export function checkClusterName(name: unknown): string {
  const fits = typeof name === 'string' && name.length <= LONGEST_CLUSTER_NAME && !isPathStep(name);
  if (fits && CLUSTER_NAME.test(name)) return name;
  throw new ApiArgumentError(
    `${quote(name)} is not the name of a cluster: use letters, digits and _-.:, or its ID such as ~a.b`,
  );
}

/** Whether a client could have that ID. */
export const isClientId = (id: unknown): id is number =>
  Number.isInteger(id) && (id as number) >= 1 && (id as number) <= MAX_CLIENT_ID;

/**
 * A client ID as the API takes it: a number, or its digits.
 *
 * @throws {@link ApiArgumentError} with the beginning of the message
 */
export function checkClientId(id: unknown, context = ''): number | string {
  if (isClientId(typeof id === 'string' && /^\d+$/u.test(id) ? Number(id) : id)) return id as number | string;
  throw new ApiArgumentError(
    `${context}${quote(id)} is not a client ID: give a number from 1 to ${MAX_CLIENT_ID}`,
  );
}

/** A value of whatever kind, short enough for a message. */
export function quote(value: unknown): string {
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
