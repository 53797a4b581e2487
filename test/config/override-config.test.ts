import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spconfig-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
  vi.unstubAllEnvs();
});

describe('overrideConfig', () => {
  test('is a copy, and nothing else is looked at', () => {
    vi.stubEnv('SP_AUTH_TOKEN', 'env');
    const overrideConfig: Record<string, string> = { A: '1' };
    const config = new SPConfig({
      overrideConfig,
      file: join(root, 'missing'),
      env: { SP_AUTH_TOKEN: 'env' },
    });
    overrideConfig['A'] = '2';
    overrideConfig['B'] = '3';
    expect([...config]).toEqual([['A', '1']]);
  });

  test('may be empty', () => {
    expect([...new SPConfig({ overrideConfig: {} })]).toEqual([]);
  });

  test('takes hostile names for what they are', () => {
    const overrideConfig = JSON.parse('{"__proto__":"1","constructor":"2"}') as Record<string, string>;
    const config = new SPConfig({ overrideConfig });
    expect([...config]).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
    ]);
    expect(JSON.stringify(config)).toBe('{"__proto__":"1","constructor":"2"}');
  });

  test.each([
    [1234567890123456789n, 'a bigint'],
    [1234567890, 'a number'],
    [true, 'a boolean'],
    [null, 'null'],
    [() => '1', 'a function'],
  ])('%o is not a string', (value, what) => {
    const overrideConfig = { A: '1', SP_AUTH_TOKEN: value } as unknown as Record<string, string>;
    const error = thrownBy(() => new SPConfig({ overrideConfig }), SPConfigError);
    expect(error).toMatchObject({ code: 'ECONFIG', file: undefined, line: undefined });
    expect(error.message).toBe(
      `overrideConfig: SP_AUTH_TOKEN is ${what}, not a string: put its value in quotes`,
    );
  });

  test.each([{}, ['s3cr3t'], undefined])('%o is not a string either', (value) => {
    const overrideConfig = { SP_AUTH_TOKEN: value } as unknown as Record<string, string>;
    const error = thrownBy(() => new SPConfig({ overrideConfig }), SPConfigError);
    expect(error.message).toMatch(/^overrideConfig: SP_AUTH_TOKEN is .+, not a string/u);
    expect(inspect(error)).not.toContain('s3cr3t');
  });

  const NO_OBJECTS = [null, 'A=1', 5, true, [], ['a'], [['A', '1']]].map((value) => ({ value }));
  test.each(NO_OBJECTS)('$value is no object of settings', ({ value }) => {
    const overrideConfig = value as unknown as Record<string, string>;
    const error = thrownBy(() => new SPConfig({ overrideConfig }), SPConfigError);
    expect(error.message).toBe('overrideConfig must be an object with the names and values of the settings');
  });
});
