import { inspect } from 'node:util';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';

afterEach(() => vi.unstubAllEnvs());

/** The error that a value for the token leads to. */
const refused = (overrideConfig: unknown) =>
  thrownBy(() => new SPConfig({ overrideConfig: overrideConfig as Record<string, string> }), SPConfigError);

describe('overrideConfig', () => {
  test('is a copy, and nothing else is looked at', () => {
    vi.stubEnv('SP_AUTH_TOKEN', 'env');
    const overrideConfig: Record<string, string> = { A: '1' };
    const config = new SPConfig({ overrideConfig, file: '/missing', env: { SP_AUTH_TOKEN: 'env' } });
    overrideConfig['A'] = '2';
    overrideConfig['B'] = '3';
    expect([...config]).toEqual([['A', '1']]);
  });

  test('may be empty', () => {
    expect([...new SPConfig({ overrideConfig: {} })]).toEqual([]);
  });

  test('may have names that every object has', () => {
    const overrideConfig = JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>;
    expect(JSON.stringify(new SPConfig({ overrideConfig }))).toBe('{"__proto__":"1","constructor":"2"}');
  });

  test.each([
    [1234567890123456789n, 'bigint'],
    [1234567890, 'number'],
    [true, 'boolean'],
    [() => '1', 'function'],
    [null, 'object'],
    [{}, 'object'],
    [['s3cr3t'], 'object'],
    [undefined, 'undefined'],
  ])('refuses %o as a value', (value, type) => {
    const error = refused({ A: '1', SP_AUTH_TOKEN: value });
    expect(error).toMatchObject({ code: 'ECONFIG', file: undefined, line: undefined });
    expect(error.message).toBe(
      `overrideConfig: SP_AUTH_TOKEN is of type ${type}, not a string: put its value in quotes`,
    );
    expect(inspect(error)).not.toContain('s3cr3t');
  });

  const NO_SETTINGS = [null, 'A=1', 5, true, [], ['a'], [['A', '1']]].map((value) => ({ value }));
  test.each(NO_SETTINGS)('refuses $value', ({ value }) => {
    const message = 'overrideConfig must be an object with the names and values of the settings';
    expect(refused(value).message).toBe(message);
  });
});
