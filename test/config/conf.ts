import { mkdirSync, writeFileSync } from 'node:fs';
import { SPConfig, type SPConfigOptions } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';

/** A main file and a directory of further files, in a temporary directory of its own for each test. */
export function useConf() {
  const path = useTempDir();
  const file = () => path('storpool.conf');
  const dir = () => path('storpool.conf.d');
  return {
    path,
    file,
    dir,
    write: (content: string | Buffer) => writeFileSync(file(), content),
    /** @returns the path of the file, as the library prints it */
    further(name: string | Buffer, content: string): string {
      mkdirSync(dir(), { recursive: true });
      writeFileSync(Buffer.concat([Buffer.from(`${dir()}/`), Buffer.from(name)]), content);
      return `${dir()}/${name}`;
    },
    read: (options: SPConfigOptions = {}) =>
      new SPConfig({ file: file(), section: 'n', env: {}, ...options }),
  };
}
