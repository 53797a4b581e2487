import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SPConfig, SPConfigError } from '../../src/index.js';
import vectors from '../vectors/config.json' with { type: 'json' };

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

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'spconfig-'));
});
afterEach(() => rmSync(root, { recursive: true }));

describe('the vectors of the reference', () => {
  test.each(vectors.cases as unknown as ConfigCase[])('$name', (vector) => {
    for (const [name, text] of Object.entries(vector.files)) {
      mkdirSync(dirname(join(root, name)), { recursive: true });
      writeFileSync(join(root, name), text);
    }
    const { section, useEnv, missingOk, env } = vector;
    const read = () => new SPConfig({ section, useEnv, missingOk, env, file: join(root, 'storpool.conf') });
    if (vector.error) {
      const file = join(root, vector.error.file);
      expect(read).toThrowError(SPConfigError);
      expect(read).toThrowError(expect.objectContaining({ file, message: expect.stringContaining(file) }));
    } else {
      expect(Object.fromEntries(read())).toEqual({ ...vectors.defaults, ...vector.expect });
    }
  });

  test('the environment settings that win are those of the vectors', () => {
    writeFileSync(join(root, 'storpool.conf'), '');
    const env = Object.fromEntries(Object.keys(vectors.defaults).map((key) => [key, 'env']));
    const config = new SPConfig({ file: join(root, 'storpool.conf'), env: { ...env, SP_AUTH_TOKEN: 'env' } });
    const fromEnv = [...config].filter(([, value]) => value === 'env').map(([key]) => key);
    expect(fromEnv.sort()).toEqual([...vectors.envOverride].sort());
  });
});
