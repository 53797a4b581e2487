import { readdirSync, readFileSync, statSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';

vi.mock('node:fs', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:fs')>()),
  readFileSync: vi.fn(),
  readdirSync: vi.fn(),
  statSync: vi.fn(),
}));
vi.mock('node:os', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:os')>()),
  hostname: () => 'this-host',
}));

let files: Record<string, string>;
beforeEach(() => {
  files = {};
  const look = (path: unknown) => {
    const content = files[String(path)];
    if (content === undefined) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return content;
  };
  vi.mocked(statSync).mockImplementation(((path: unknown) => {
    look(path);
    return { isFile: () => true, isFIFO: () => false };
  }) as never);
  vi.mocked(readFileSync).mockImplementation((path) => Buffer.from(look(path)));
  vi.mocked(readdirSync).mockImplementation(((dir: unknown) => {
    const names = Object.keys(files).filter((name) => name.startsWith(`${dir}/`));
    return names.map((name) => name.slice(`${dir}/`.length));
  }) as never);
});

describe('SPConfig by default', () => {
  test('reads /etc/storpool.conf, /etc/storpool.conf.d and the section of this host', () => {
    files['/etc/storpool.conf'] = 'A=1\nB=1\nC=1\n[this-host]\nB=2\n';
    files['/etc/storpool.conf.d/x.conf'] = 'C=3\n';
    const config = new SPConfig({ useEnv: false });
    expect([config.get('A'), config.get('B'), config.get('C')]).toEqual(['1', '2', '3']);
    expect(SPConfig.sections()).toEqual(['this-host']);
  });

  test('throws an error that names them', () => {
    for (const read of [() => new SPConfig(), () => SPConfig.sections(), () => Api.fromConfig()]) {
      const error = thrownBy(read, SPConfigError);
      expect(error).toMatchObject({ file: '/etc/storpool.conf', line: undefined });
      expect(error.message).toContain('/etc/storpool.conf does not exist');
    }
    files['/etc/storpool.conf'] = 'SP_AUTH_TOKEN=token\n';
    expect(Api.fromConfig()).toBeInstanceOf(Api);
  });

  test('reads files that are called *.conf and not hidden, each once', () => {
    files['/etc/storpool.conf'] = '';
    for (const name of ['b.conf', 'a.conf', '.x.conf', 'c.txt', 'd.conf.bak']) {
      files[`/etc/storpool.conf.d/${name}`] = '';
    }
    vi.mocked(readFileSync).mockClear();
    new SPConfig({ useEnv: false });
    expect(vi.mocked(readFileSync).mock.calls.map(([path]) => String(path))).toEqual([
      '/etc/storpool.conf',
      '/etc/storpool.conf.d/a.conf',
      '/etc/storpool.conf.d/b.conf',
    ]);
  });

  test.each(['EACCES', 'EIO'])('throws when the directory cannot be listed: %s', (code) => {
    files['/etc/storpool.conf'] = '';
    const cause = Object.assign(new Error(`${code}: no`), { code });
    vi.mocked(readdirSync).mockImplementation(() => {
      throw cause;
    });
    const message = `Cannot list /etc/storpool.conf.d: ${code}: no`;
    const expected = { file: '/etc/storpool.conf.d', message, cause };
    expect(thrownBy(() => new SPConfig(), SPConfigError)).toMatchObject(expected);
  });
});
