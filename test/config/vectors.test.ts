import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';
import vectors from '../vectors/config.json' with { type: 'json' };
import { useConf } from './conf.js';

interface ConfigCase {
  name: string;
  section: string;
  useEnv: boolean;
  missingOk: boolean;
  env: Record<string, string>;
  files: Record<string, string>;
  expect?: Record<string, string>;
  error?: { file: string };
}

const { path, write, read } = useConf();

describe('SPConfig answers as the reference', () => {
  test.each(vectors.cases as unknown as ConfigCase[])(
    '$name',
    ({ files, expect: values, error, ...rest }) => {
      for (const [name, text] of Object.entries(files)) {
        mkdirSync(dirname(path(name)), { recursive: true });
        writeFileSync(path(name), text);
      }
      const { section, useEnv, missingOk, env } = rest;
      const readIt = () => read({ section, useEnv, missingOk, env });
      if (!error) return expect(Object.fromEntries(readIt())).toEqual({ ...vectors.defaults, ...values });
      const thrown = thrownBy(readIt, SPConfigError);
      expect(thrown.file).toBe(path(error.file));
      expect(thrown.message).toContain(path(error.file));
    },
  );

  test('the settings of the environment that win are those of the vectors', () => {
    write('');
    const keys = [...Object.keys(vectors.defaults), 'SP_AUTH_TOKEN'];
    const config = read({ env: Object.fromEntries(keys.map((key) => [key, 'env'])) });
    const fromEnv = [...config].filter(([, value]) => value === 'env').map(([key]) => key);
    expect(fromEnv.sort()).toEqual([...vectors.envOverride].sort());
  });
});
