import { disk, type OpenFile } from '../../../src/store/file/disk.js';

/** One call that touches the disk: of the `disk` object, or of a file that it opened (`file.write`). */
export interface DiskCall {
  name: string;
  /** The file that it is about. */
  path: string;
  args: readonly unknown[];
}

/** Comes before a call: throws in its place, or gives other arguments for it. */
export type Tamper = (call: DiskCall) => readonly unknown[] | undefined;

type Call = (...args: readonly unknown[]) => unknown;

/** Lets every call of the store that touches the disk go through `before`. @returns what ends that */
export function tamperWithDisk(before: Tamper): () => void {
  const calls = disk as unknown as Record<string, Call>;
  const originals = { ...calls };
  for (const [name, original] of Object.entries(originals)) {
    calls[name] = (...args) => {
      const path = String(args[0]);
      const result = original(...(before({ name, path, args }) ?? args));
      return name === 'open' ? tamperedFile(result as OpenFile, path, before) : result;
    };
  }
  return () => Object.assign(calls, originals);
}

function tamperedFile(file: OpenFile, path: string, before: Tamper): OpenFile {
  return new Proxy(file, {
    get(target, property) {
      const member: unknown = Reflect.get(target, property, target);
      if (typeof member !== 'function') return member;
      const name = `file.${String(property)}`;
      const call = (...args: unknown[]) => member.apply(target, before({ name, path, args }) ?? args);
      if (property === 'close') {
        // A close that reports an error has closed all the same.
        return () => {
          target.close();
          before({ name, path, args: [] });
        };
      }
      // What waits fails later.
      return property.toString().endsWith('sync') ? async (...args: unknown[]) => call(...args) : call;
    },
  });
}

export const systemError = (code: string) =>
  Object.assign(new Error(`${code}: a fault of the test`), { code, syscall: 'test' });
