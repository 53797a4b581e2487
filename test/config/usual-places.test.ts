import { type PathLike, readdirSync, readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { Api, SPConfig, SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';

vi.mock('node:fs', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:fs')>()),
  readFileSync: vi.fn(),
  readdirSync: vi.fn(),
}));
vi.mock('node:os', async (importOriginal) => ({
  ...(await importOriginal<typeof import('node:os')>()),
  hostname: () => 'this-host',
}));

const missing = () => Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
let files: Record<string, string>;
beforeEach(() => {
  files = {};
  vi.mocked(readFileSync).mockReset();
  vi.mocked(readFileSync).mockImplementation((path) => {
    const text = files[String(path)];
    if (text === undefined) throw missing();
    return Buffer.from(text);
  });
  vi.mocked(readdirSync).mockReset();
  vi.mocked(readdirSync).mockImplementation((path: PathLike) => {
    const names = Object.keys(files).filter((name) => name.startsWith(`${String(path)}/`));
    if (names.length === 0) throw missing();
    return names.map((name) => name.slice(String(path).length + 1)) as never;
  });
});

describe('the usual places', () => {
  test('are /etc/storpool.conf, /etc/storpool.conf.d and the section of this host', () => {
    files['/etc/storpool.conf'] = 'A=1\nB=1\nC=1\n[this-host]\nB=2\n';
    files['/etc/storpool.conf.d/x.conf'] = 'C=3\n';
    const config = new SPConfig({ useEnv: false });
    expect([config.get('A'), config.get('B'), config.get('C')]).toEqual(['1', '2', '3']);
    expect(vi.mocked(readFileSync).mock.calls).toEqual([
      ['/etc/storpool.conf'],
      ['/etc/storpool.conf.d/x.conf'],
    ]);
    expect(SPConfig.sections()).toEqual(['this-host']);
  });

  test('an error names them', () => {
    const error = thrownBy(() => new SPConfig(), SPConfigError);
    expect(error).toMatchObject({ file: '/etc/storpool.conf', line: undefined });
    expect(error.message).toContain('/etc/storpool.conf does not exist');
    expect(thrownBy(() => SPConfig.sections(), SPConfigError).file).toBe('/etc/storpool.conf');
  });

  test('a client is made from them', () => {
    expect(thrownBy(() => Api.fromConfig(), SPConfigError).file).toBe('/etc/storpool.conf');
    files['/etc/storpool.conf'] = 'SP_AUTH_TOKEN=token\n';
    expect(Api.fromConfig()).toBeInstanceOf(Api);
  });

  test('further files are read in order of name, whatever the order in the folder', () => {
    files['/etc/storpool.conf'] = '';
    for (const name of ['b.conf', 'a.conf', 'B.conf', '10.conf', '9.conf', '.x.conf', 'c.txt']) {
      files[`/etc/storpool.conf.d/${name}`] = `LAST=${name}\n`;
    }
    expect(new SPConfig({ useEnv: false }).get('LAST')).toBe('b.conf');
    expect(vi.mocked(readFileSync).mock.calls.map(([path]) => path)).toEqual([
      '/etc/storpool.conf',
      ...['10', '9', 'B', 'a', 'b'].map((name) => `/etc/storpool.conf.d/${name}.conf`),
    ]);
  });

  test('a folder of which the system says nothing but no', () => {
    files['/etc/storpool.conf'] = '';
    const cause = Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    vi.mocked(readdirSync).mockImplementation(() => {
      throw cause;
    });
    expect(thrownBy(() => new SPConfig(), SPConfigError)).toMatchObject({
      file: '/etc/storpool.conf.d',
      message: 'Cannot list /etc/storpool.conf.d: EACCES: permission denied',
      cause,
    });
  });
});
