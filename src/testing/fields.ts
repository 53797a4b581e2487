import { invalid } from './refusal.js';

/** A check of one member of an argument. It returns what is wrong with the value, if anything. */
export type FieldCheck = (value: unknown) => string | undefined;

const check =
  (what: string, test: (value: unknown) => boolean): FieldCheck =>
  (value) =>
    test(value) ? undefined : `must be ${what}`;

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

export const string = check('a string', (value) => typeof value === 'string');
export const flag = check('true or false', (value) => typeof value === 'boolean');
export const list: FieldCheck = (value) => (Array.isArray(value) ? undefined : 'must be a list');
export const count = check('a whole number from 0 on', isCount);
export const size = check('a positive multiple of 512', (value) => {
  return isCount(value) && value !== 0 && (value as number) % 512 === 0;
});
export const limit = check('a whole number from 0 on, or "-"', (value) => value === '-' || isCount(value));
export const tags = check('an object of strings', (value) => {
  return isRecord(value) && Object.values(value).every((tag) => typeof tag === 'string');
});
/** Some clients send a number as a string. */
const isClient = (value: unknown) => /^[1-9]\d*$/u.test(String(value)) && !Array.isArray(value);
export const clients = check(
  'a list of client IDs',
  (value) => Array.isArray(value) && value.every(isClient),
);
const ON_ATTACHED: unknown[] = ['fail', 'detach', 'detachForce', 'export'];
export const onAttached = check('fail, detach, detachForce or export', (value) =>
  ON_ATTACHED.includes(value),
);
export const clientsOrAll: FieldCheck = (value) => (value === 'all' ? undefined : clients(value));

/** The members that an argument may have; a `!` after the name marks those that it must have. */
export type Fields = Record<string, FieldCheck>;

/** The settings of a volume. */
export const POLICY: Fields = {
  placeAll: string,
  placeTail: string,
  placeHead: string,
  replication: count,
  bw: limit,
  iops: limit,
  reuseServer: flag,
  tags,
  mcMode: string,
};

/** No member is `undefined`, because the value comes from JSON. */
export type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

/** Checks that the call knows each member of an argument, and that it has the right type. @returns the argument */
export function checkFields<T>(value: unknown, fields: Fields, what: string): Defined<T> {
  if (!isRecord(value)) throw invalid(`${what}: the argument must be an object.`);
  const checks = new Map(Object.entries(fields).map(([name, test]) => [name.replace('!', ''), test]));
  for (const name of Object.keys(fields)) {
    if (name.endsWith('!') && !Object.hasOwn(value, name.slice(0, -1))) {
      throw invalid(`${what}: "${name.slice(0, -1)}" is missing.`);
    }
  }
  for (const [name, member] of Object.entries(value)) {
    const test = checks.get(name);
    if (test === undefined) throw invalid(`${what}: there is no "${name}".`);
    const problem = test(member);
    if (problem !== undefined) throw invalid(`${what}: "${name}" ${problem}.`);
  }
  return value as Defined<T>;
}
