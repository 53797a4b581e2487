import { describe, expect, test } from 'vitest';
import { checkClientId, checkClusterName, checkName, isClientId, isName } from '../../src/api/names.js';
import { ApiArgumentError } from '../../src/index.js';
import { thrownBy } from './failure.js';

const COMMON = [
  'v',
  'os--volume-6f3b0c52-1a4d-4f0e-9c8e-2f7d4f7a9b1c',
  'A.b:c-d_9',
  '...',
  '..a',
  '-',
  '__proto__',
  'constructor',
  'x'.repeat(199),
  '~abc.b.1x',
];

/** What no name may be; nothing of it may reach a path or a header. */
const HOSTILE = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  'a\\b',
  '/',
  'a\r\nX-Header: 1',
  'a\n',
  'a b',
  'a\u0000',
  'a?json={}',
  'a%2e',
  '%2e%2e',
  'жълт',
  'v\u200b',
  'x'.repeat(200),
  'list',
  'status',
  'x'.repeat(10_000),
  '~',
  '~a.b',
  '~A.b.c',
  '~a.b.c.d',
  `~${'a'.repeat(200)}.b.c`,
];

const NO_STRINGS = [undefined, null, 5, true, {}, [], ['v'], Symbol('v'), Object.create(null), () => 'v'];

describe('volumes', () => {
  test.each([...COMMON, '#v', '#.'])('%s is a name', (name) => {
    expect(isName('volume', name)).toBe(true);
    expect(checkName('volume', name)).toBe(name);
  });

  test.each([...HOSTILE, '#', 'v#', '##v', 'v@1', '*v'])('%j is none', (name) => {
    expect(isName('volume', name)).toBe(false);
    const error = thrownBy(() => checkName('volume', name), ApiArgumentError);
    expect(error).toMatchObject({ name: 'ApiArgumentError', code: 'EINVAL' });
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(
      'is not a valid volume name: use letters, digits and _-.:, or a global ID such as ~a.b.c, at most 199 characters, and not "list" or "status"',
    );
    expect(error.message.startsWith(JSON.stringify(name).slice(0, 80))).toBe(true);
    expect(error.message.length).toBeLessThan(300);
  });
});

describe('snapshots', () => {
  test.each([...COMMON, '*v', 'v@1', '*v@1@2'])('%s is a name', (name) => {
    expect(isName('snapshot', name)).toBe(true);
    expect(checkName('snapshot', name)).toBe(name);
  });

  test.each([...HOSTILE, '*', '**v', 'v*', '#v'])('%j is none', (name) => {
    expect(isName('snapshot', name)).toBe(false);
    const error = thrownBy(() => checkName('snapshot', name), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain(
      'is not a valid snapshot name: use letters, digits and _-.:@, or a global ID such as ~a.b.c, at most 199 characters, and not "list" or "status"',
    );
    expect(error.message.length).toBeLessThan(300);
  });
});

describe.each(['template', 'placement group'] as const)('a %s', (kind) => {
  test.each(['t', 'hybrid-r3', 'SSD_2', 'status', 'x'.repeat(127)])('%s is a name', (name) => {
    expect(checkName(kind, name)).toBe(name);
  });

  test.each(['', '.', '..', 'a/b', 'a.b', 'a b', '#t', '~a.b.c', '%2e', 'list', 'x'.repeat(200)])(
    '%j is none',
    (name) => {
      const error = thrownBy(() => checkName(kind, name), ApiArgumentError);
      expect(error.message).toContain(`is not a valid ${kind} name: use letters, digits and _-, at most `);
    },
  );
});

describe('clusters', () => {
  const names = [
    'c',
    'Cluster_2.sofia-1',
    '__proto__',
    'x'.repeat(199),
    'a:b',
    '#c',
    '~a.b',
    '~bn2.1',
    'list',
  ];
  test.each(names)('%s is a name', (name) => {
    expect(checkClusterName(name)).toBe(name);
  });

  const hostile = HOSTILE.filter(
    (name) => !names.includes(name) && !name.startsWith('~') && name !== 'status',
  );
  test.each([...hostile, '~', '#', '*c', 'a@b', 'a#b', '~a/b'])('%j is none', (name) => {
    const error = thrownBy(() => checkClusterName(name), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain('is not a valid cluster name: use letters, digits and _-.:');
    expect(error.message.length).toBeLessThan(200);
  });
});

describe('clients', () => {
  test.each([1, 42, 4095])('%j is a client ID, as a number and as a string', (id) => {
    expect(isClientId(id)).toBe(true);
    expect(checkClientId(id)).toBe(id);
    expect(checkClientId(String(id))).toBe(String(id));
  });

  test.each([
    0,
    -1,
    1.5,
    4096,
    Number.NaN,
    '0',
    '4096',
    '',
    ' 7',
    '7 ',
    '0x7',
    '7e0',
    '-7',
    '٧',
    null,
    undefined,
    {},
  ])('%j is none', (id) => {
    expect(isClientId(id)).toBe(false);
    const error = thrownBy(() => checkClientId(id, 'volume v: '), ApiArgumentError);
    expect(error.message).toMatch(/^volume v: .* is not a client ID: give a number from 1 to 4095$/u);
  });
});

describe('what is not even a text', () => {
  test.each(NO_STRINGS.map((value) => ({ value })))('$value is no name of anything', ({ value }) => {
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
});
