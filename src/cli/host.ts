import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Api, AttachDB, describeHolder, SPConfig, SPLockedFileError } from '../index.js';
import { collect, type Entries, judge, type Row, type Seen } from './rows.js';
import { harmless, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** An operator wants to be told that the API fails, not to wait until it does not. Milliseconds. */
const API_TIMEOUT = 10_000;

export type Settings = ReturnType<typeof readSettings>;

/** The settings, and where each of them comes from. @throws SPConfigError */
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
  return { config, originOf: (key: string) => (given.has(key) ? '--set' : found.origin(key)) };
}

/** @throws SPConfigError when there is no token or no way to the API */
export const makeApi = (config: SPConfig) =>
  Api.fromConfig(config, { transientRetries: 0, timeout: API_TIMEOUT });

/** The cache, which warns on the terminal. */
export const openCache = (options: Options, terminal: Terminal, config: SPConfig, api?: Api) =>
  new AttachDB({
    log: { warn: (message) => terminal.writeError(`${harmless(message)}\n`) },
    config,
    api,
    fname: options.file,
    deviceDir: options['device-dir'],
  });

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

const LOCK_TIMEOUT = 1000;
/** A write that is under way has ended by then. Milliseconds. */
const WRITE_TIME = 100;

/** Looks at something under the lock if that is soon free, else without it. */
export async function look<T>(db: AttachDB, see: () => T | Promise<T>, signal: AbortSignal) {
  let seen: T | Error | undefined;
  const seeLocked = async () => {
    seen = await attempt(see);
  };
  const error = await attempt(() => db.withLock(seeLocked, { timeout: LOCK_TIMEOUT, signal }));
  if (seen !== undefined) return { seen, withoutLock: null };
  if (!(error instanceof SPLockedFileError)) throw error;
  seen = await attempt(see);
  if (seen instanceof Error) {
    await setTimeout(WRITE_TIME, undefined, { signal });
    seen = await attempt(see);
  }
  const isHeld = error.code === 'ELOCKED';
  const problem = isHeld ? describeHolder(realpathSync(db.fname)) : error.message;
  return { seen, withoutLock: { error, isHeld, problem } };
}

/** @throws Error for what no service could use either */
export function readCache(fname: string): Entries {
  const advice = '; "storpool-attachdb doctor" says what to do';
  // To open a pipe would wait for its other end.
  if (!statSync(fname).isFile()) throw new Error(`${fname} is not a regular file${advice}`);
  return parseCache(fname, readFileSync(fname), advice);
}

export function parseCache(fname: string, bytes: Buffer, advice = ''): Entries {
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString());
  } catch (error) {
    throw new Error(`${fname} is torn or damaged (${(error as Error).message})${advice}`);
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
    return new Map(Object.entries(content));
  }
  throw new Error(`${fname} does not hold a JSON object${advice}`);
}

/** Compares what the cache wants with what is attached. Asks what the cluster has only if something is not attached. */
export async function rowsOf(db: AttachDB, entries: Entries, signal: AbortSignal): Promise<Row[]> {
  const clientId = db.clientId();
  const attachments = await db.api().attachmentsList({ signal });
  const seen = collect(
    entries,
    attachments.filter(({ client }) => Number(client) === clientId),
    (volume) => (existsSync(db.devicePath(volume)) ? db.devicePath(volume) : null),
  );
  const wants = (kind: boolean) => seen.some((row) => row.wants && !row.has && row.snapshot === kind);
  const [volumes, snapshots] = await Promise.all([
    wants(false) ? db.api().volumesList({ signal }) : [],
    wants(true) ? db.api().snapshotsList({ signal }) : [],
  ]);
  const names = [volumes, snapshots].map((list) => new Set(list.map(({ name }) => name)));
  const exists = ({ volume, snapshot }: Seen) => names[Number(snapshot)]?.has(volume) ?? false;
  return judge(seen, db.volumePrefix(), exists);
}

/** Whether it is what a torn file held. */
export const isTorn = ({ path }: SideFile) => /\.torn(\.\d+)?$/u.test(path);

export type SideFile = ReturnType<typeof sideFiles>[number];

/** What lies beside a file and has its name with something behind it. */
export function sideFiles(fname: string) {
  const names = readdirSync(dirname(fname)).filter((name) => name.startsWith(`${basename(fname)}.`));
  return names.sort().flatMap((name) => {
    const path = join(dirname(fname), name);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    // A lock may be given back while we look.
    return stats ? [{ path, isFile: stats.isFile(), size: stats.size, mtimeMs: stats.mtimeMs }] : [];
  });
}
