import { disk } from '../../src/store/disk.js';

/** One call of the `disk` object. */
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
  const paths = new Map<unknown, string>();
  for (const [name, original] of Object.entries(originals)) {
    const call: Call = (...args) => {
      const path = paths.get(args[0]) ?? String(args[0]);
      // A close that reports an error has closed all the same.
      if (name === 'close') original(...args);
      const changed = before({ name, path, args }) ?? args;
      const result = name === 'close' ? undefined : original(...changed);
      if (name === 'open') paths.set(result, path);
      return result;
    };
    // What waits fails later.
    calls[name] = name.endsWith('sync') ? async (...args) => call(...args) : call;
  }
  return () => Object.assign(calls, originals);
}

export const systemError = (code: string) =>
  Object.assign(new Error(`${code}: a fault of the test`), { code, syscall: 'test' });
