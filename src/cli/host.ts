import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import {
  Api,
  AttachDB,
  checkRequest,
  describeHolder,
  type LockOptions,
  SPConfig,
  SPLockedFileError,
} from '../index.js';
import { harmless, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** An operator wants to be told that the API fails, not to wait until it does not. Milliseconds. */
const API_TIMEOUT = 8000;
const LOCK_TIMEOUT = { look: 1000, change: 15_000 };

const timeoutOf = ({ timeout }: Options, usual: number) =>
  timeout === undefined ? usual : Number(timeout) * 1000;

export type Settings = ReturnType<typeof readSettings>;

/** The settings, the files that they may come from, and where each comes from. @throws SPConfigError */
export function readSettings({ config: file, section, set = [] }: Options) {
  // Who gives settings may have no file at all; but one that is named must be there.
  const found = new SPConfig({ file, section, missingOk: set.length > 0 && file === undefined });
  const given = new Map<string, string>();
  for (const setting of set) {
    const at = setting.indexOf('=');
    given.set(setting.slice(0, at), setting.slice(at + 1));
  }
  const overrideConfig = Object.fromEntries([...found, ...given]);
  const config = set.length === 0 ? found : new SPConfig({ overrideConfig });
  const folder = `${found.source}.d`;
  const further = statSync(folder, { throwIfNoEntry: false })?.isDirectory() ? readdirSync(folder) : [];
  const files = [
    found.source,
    ...further.filter((name) => /^[^.].*\.conf$/u.test(name)).map((name) => join(folder, name)),
  ];
  return { config, files, originOf: (key: string) => (given.has(key) ? '--set' : found.origin(key)) };
}

/** @throws SPConfigError when there is no token or no way to the API */
export const makeApi = (options: Options, config: SPConfig) =>
  Api.fromConfig(config, { transientRetries: 0, timeout: timeoutOf(options, API_TIMEOUT) });

/** The cache, which warns on the terminal. */
export function openCache(
  purpose: 'look' | 'change',
  options: Options,
  terminal: Terminal,
  config: SPConfig,
  api?: Api,
) {
  const timeout = timeoutOf(options, LOCK_TIMEOUT[purpose]);
  const open = (fname: string | undefined, lock: LockOptions = {}) =>
    new AttachDB({
      log: { warn: (message) => terminal.writeError(`${harmless(forOperators(message))}\n`) },
      config,
      api,
      fname,
      deviceDir: options['device-dir'],
      apiTimeout: timeoutOf(options, API_TIMEOUT),
      lock: { timeout, ...lock },
    });
  return { db: open(options.file), open, command: (...words: string[]) => commandLine(words, options) };
}

/** What to type to run another command on the same host. */
function commandLine(words: string[], options: Options): string {
  const same = (['config', 'section', 'file', 'device-dir'] as const).flatMap((name) => {
    const value = options[name];
    return value === undefined ? [] : [`--${name}`, value];
  });
  return ['storpool-attachdb', ...words, ...same].map(shellWord).join(' ');
}

export type Cache = ReturnType<typeof openCache>;

/** The result of a function, or the error that it throws. */
export async function attempt<T>(fn: () => T | Promise<T>): Promise<T | Error> {
  try {
    return await fn();
  } catch (error) {
    return error as Error;
  }
}

/** The system's code of what {@link attempt} gave. */
export const codeOf = (result: unknown) =>
  result instanceof Error ? (result as NodeJS.ErrnoException).code : undefined;

/** What is wrong with an entry of the cache, if anything. */
export function problemOf(request: string, entry: unknown, where: string): string | null {
  try {
    checkRequest(request, entry, where);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Reads the cache; if the lock is not free, from a copy of the file, and says why. */
export async function look<T>({ db, open }: Cache, read: (db: AttachDB) => Promise<T>) {
  const seen = await attempt(() => read(db));
  if (!(seen instanceof Error)) return { seen, unlocked: null };
  if (!(seen instanceof SPLockedFileError) || seen.code === 'ECORRUPT') throw seen;
  const { fname } = db;
  const dir = mkdtempSync(join(tmpdir(), 'storpool-attachdb-'));
  try {
    const copy = join(dir, 'copy.json');
    const isFile = await attempt(() => statSync(fname).isFile() && copyFileSync(fname, copy));
    if (isFile === false || isFile instanceof Error) throw seen;
    const again = await attempt(() => read(open(copy, { kernelLock: 'off' })));
    // Half of a write is no reason to speak of a torn file.
    if (again instanceof Error) throw again instanceof SPLockedFileError ? seen : again;
    const words = JSON.stringify(again).replaceAll(copy, JSON.stringify(fname).slice(1, -1));
    const unlocked = seen.code === 'ELOCKED' ? describeLock(fname) : seen.message;
    return { seen: JSON.parse(words) as T, unlocked };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Who has the lock, and until when a lock directory counts whose maker is not known. */
export function describeLock(fname: string): string {
  const path = realpathSync(fname);
  const words = `; services take ${path}.lock over when it has not been refreshed for 10 s`;
  return describeHolder(path) + (existsSync(`${path}.lock`) ? words : '');
}

export type SideFile = ReturnType<typeof sideFiles>[number];

/** What lies beside a file and has its name with something behind it. */
export function sideFiles(fname: string) {
  const file = statSync(fname, { throwIfNoEntry: false }) ? realpathSync(fname) : fname;
  const names = readdirSync(dirname(file)).filter((name) => name.startsWith(`${basename(file)}.`));
  return names.sort().flatMap((name) => {
    const path = join(dirname(file), name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    // A lock may be given back while we look.
    return stats ? [{ path, isFile: stats.isFile(), size: stats.size, mtimeMs: stats.mtimeMs }] : [];
  });
}

/** The library speaks to authors; whoever types commands has other means. */
const WORDS: [RegExp, string][] = [
  [/or allow it to be missing with missingOk/u, 'or name another with --config'],
  [/raise (?:lock\.timeout|timeout|apiTimeout)/u, 'give it more seconds with --timeout'],
  [/: add\(\) it before sync\(\)/u, '; "storpool-attachdb status --requests" lists those that are'],
  [/overrideConfig/u, 'the configuration, or give it with --set'],
];

export const forOperators = (message: string) =>
  WORDS.reduce((words, [theirs, ours]) => words.replace(theirs, ours), message);
