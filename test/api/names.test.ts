import { describe, expect, test } from 'vitest';
import { checkClientId, checkClusterName, checkName, isClientId, isName } from '../../src/api/names.js';
import { ApiArgumentError } from '../../src/index.js';
import names from '../vectors/names.json' with { type: 'json' };
import { thrownBy } from './failure.js';

const LONGEST = 'x'.repeat(199);
const TOO_LONG = ['x'.repeat(200), 'x'.repeat(10_000), `~${'a'.repeat(200)}.b.c`];
const COMMON = [...names.common, LONGEST];
/** What no name may be; nothing of it may reach a path or a header. */
const HOSTILE = [...names.hostile, ...names.reserved, ...TOO_LONG];
const NO_STRINGS = [undefined, null, 5, true, {}, [], ['v'], Symbol('v'), Object.create(null), () => 'v'];
const END = ', or a global ID such as ~a.b.c, at most 199 characters, and not "list" or "status"';

const OBJECTS = [
  { kind: 'volume', valid: [...COMMON, '#v', '#.'], invalid: ['#', 'v#', '##v', 'v@1', '*v'], signs: '_-.:' },
  { kind: 'snapshot', valid: [...COMMON, '*v', 'v@1'], invalid: ['*', '**v', 'v*', '#v'], signs: '_-.:@' },
] as const;

describe.each(OBJECTS)('checkName() of a $kind', ({ kind, valid, invalid, signs }) => {
  test.each(valid)('accepts %s', (name) => {
    expect(isName(kind, name)).toBe(true);
    expect(checkName(kind, name)).toBe(name);
  });

  test.each([...HOSTILE, ...invalid])('refuses %j', (name) => {
    expect(isName(kind, name)).toBe(false);
    const error = thrownBy(() => checkName(kind, name), ApiArgumentError);
    expect(error).toMatchObject({ name: 'ApiArgumentError', code: 'EINVAL' });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(`is not a valid ${kind} name: use letters, digits and ${signs}${END}`);
    expect(error.message.startsWith(JSON.stringify(name).slice(0, 80))).toBe(true);
    expect(error.message.length).toBeLessThan(300);
  });
});

describe.each(['template', 'placement group'] as const)('checkName() of a %s', (kind) => {
  test.each(['t', 'hybrid-r3', 'SSD_2', 'status', 'x'.repeat(127)])('accepts %s', (name) => {
    expect(checkName(kind, name)).toBe(name);
  });

  const invalid = ['', '.', '..', 'a/b', 'a.b', 'a b', '#t', '~a.b.c', '%2e', 'list', 'x'.repeat(200)];
  test.each(invalid)('refuses %j', (name) => {
    const error = thrownBy(() => checkName(kind, name), ApiArgumentError);
    expect(error.message).toContain(`is not a valid ${kind} name: use letters, digits and _-, at most `);
  });
});

describe('checkClusterName()', () => {
  const valid = ['c', 'Cluster_2.sofia-1', '__proto__', 'a:b', '#c', '~a.b', '~bn2.1', 'list', LONGEST];
  test.each(valid)('accepts %s', (name) => {
    expect(checkClusterName(name)).toBe(name);
  });

  const invalid = [...names.hostile, ...TOO_LONG.slice(0, 2), '~', '#', '*c', 'a@b', 'a#b', '~a/b'];
  test.each(invalid)('refuses %j', (name) => {
    const error = thrownBy(() => checkClusterName(name), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('is not a valid cluster name: use letters, digits and _-.:');
    expect(error.message.length).toBeLessThan(200);
  });
});

describe('checkClientId()', () => {
  test.each([1, 42, 4095])('accepts %j, as a number and as a string', (id) => {
    expect(isClientId(id)).toBe(true);
    expect(checkClientId(id)).toBe(id);
    expect(checkClientId(String(id))).toBe(String(id));
  });

  const strings = ['0', '4096', '', ' 7', '7 ', '0x7', '7e0', '-7', '٧'];
  test.each([0, -1, 1.5, 4096, Number.NaN, ...strings, null, undefined, {}])('refuses %j', (id) => {
    expect(isClientId(id)).toBe(false);
    const error = thrownBy(() => checkClientId(id, 'volume v: '), ApiArgumentError);
    expect(error.message).toMatch(/^volume v: .* is not a client ID: give a number from 1 to 4095$/u);
  });
});

test.each(NO_STRINGS.map((value) => ({ value })))('checkName() and others refuse $value', ({ value }) => {
  expect(isName('volume', value)).toBe(false);
  expect(isName('snapshot', value)).toBe(false);
  for (const check of [
    () => checkName('volume', value),
    () => checkName('snapshot', value),
    () => checkClusterName(value),
  ]) {
    expect(thrownBy(check, ApiArgumentError).code).toBe('EINVAL');
  }
});
