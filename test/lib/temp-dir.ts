import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** A directory of its own for each test. @returns the path of a name in it */
export function useTempDir(): (name?: string) => string {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'storpool-test-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  return (name = '') => join(dir, name);
}
