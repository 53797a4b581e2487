import { execFile } from 'node:child_process';
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AttachDB, describeHolder, SPLockedFileError, SPLockedJSONDB } from '../../index.js';
import { attachmentsOf, devicesOf, existing, makeApi, readSettings, type Settings } from '../host.js';
import type { Options } from '../options.js';
import { type Entries, missing, type Row, rowsOf } from '../rows.js';
import { examineFile, type FileFacts, type SideFile, sideFiles, thisUser, type User } from './files.js';

/** What there is to know of a host. What is left out could not be looked at, for a reason that stands elsewhere. */
export interface Facts {
  fname: string;
  deviceDir: string;
  user: User;
  now: number;
  settings: Settings | Error;
  /** Why no call can be made: no client ID, no token. */
  unusable: Error[];
  /** How long one call took, in milliseconds. */
  api?: number | Error;
  directory: FileFacts | Error;
  file?: FileFacts | Error;
  side: SideFile[];
  /** What is written in the mark of a restore. */
  restoredNote?: string | Error;
  /** What takes the kernel lock on this host. */
  locker: 'koffi' | 'the flock program' | undefined;
  /** How long it took to get the lock, in milliseconds. */
  lock?: number | Error;
  /** Who had the lock, where that was the error. */
  holder?: string;
  cache?: Cache | Error;
  rows?: Row[];
}

/** What a service that reads the cache now would find. */
export interface Cache {
  entries: Entries;
  /** What it would say of a file that it had to restore. */
  restored: string | undefined;
  /** Whether the copy beside the file holds the same; `undefined` without a copy. */
  copyIsSame: boolean | undefined;
}

const LOCK_TIMEOUT = 1000;
/** A write that is under way has ended by then. Milliseconds. */
const WRITE_TIME = 100;
/** Whoever holds a lock refreshes it more often than that. Milliseconds. */
const ABANDONED = 10_000;

export async function examine(options: Options, signal: AbortSignal): Promise<Facts> {
  const now = Date.now();
  const settings = await attempt(() => readSettings(options));
  const config = settings instanceof Error ? undefined : settings.config;
  const db = new AttachDB({
    ...(config === undefined ? { overrideConfig: {} } : { config }),
    log: { warn: () => undefined },
    fname: options.file,
    deviceDir: options['device-dir'],
  });
  const { fname } = db;
  const directory = await attempt(() => examineFile(dirname(fname)));
  const file = isUsable(directory) ? await attempt(() => examineFile(fname)) : undefined;
  const facts: Facts = {
    fname,
    deviceDir: dirname(db.devicePath('-')),
    user: thisUser(),
    now,
    settings,
    unusable: [],
    directory,
    ...(file && { file }),
    side: isUsable(directory) ? sideFiles(fname) : [],
    locker: await findLocker(),
  };
  const mark = `${fname}.restored`;
  if (facts.side.some(({ path }) => path === mark)) {
    facts.restoredNote = await attempt(() => readFileSync(mark, 'utf8'));
  }
  if (file !== undefined && isUsable(file) && file.kind === 'file')
    Object.assign(facts, await examineCache(facts, signal));
  if (!(settings instanceof Error)) Object.assign(facts, await examineCluster(db, facts.cache, signal));
  signal.throwIfAborted();
  return facts;
}

/** Only the lock directory is refreshed; who made it is written down once. */
export function abandonedLocks({ side, fname, now }: Pick<Facts, 'side' | 'fname' | 'now'>): SideFile[] {
  const named = (end: string) => side.find(({ path }) => path === fname + end);
  const oldest = named('.lock') ?? named('.holder');
  return oldest !== undefined && now - oldest.mtimeMs > ABANDONED ? [oldest] : [];
}

const isUsable = (found: FileFacts | Error): found is FileFacts =>
  !(found instanceof Error) && found.denied === undefined;

async function attempt<T>(fn: () => T | Promise<T>): Promise<T | Error> {
  try {
    return await fn();
  } catch (error) {
    return error as Error;
  }
}

async function findLocker(): Promise<Facts['locker']> {
  const found = await attempt(() => import('koffi'));
  if (!(found instanceof Error)) return 'koffi';
  const program = await attempt(() => promisify(execFile)('flock', ['--help']));
  return (program as NodeJS.ErrnoException).code === 'ENOENT' ? undefined : 'the flock program';
}

/** A file of the library that tells nobody of what it meets. */
class QuietDB extends SPLockedJSONDB {
  readonly warnings: string[] = [];

  protected override warn(message: string): void {
    this.warnings.push(message);
  }
}

/** Takes the lock for a moment; and lets the library read a copy of the cache, so that the cache stays as it is. */
async function examineCache(
  facts: Facts,
  signal: AbortSignal,
): Promise<Pick<Facts, 'lock' | 'holder' | 'cache'>> {
  const { fname } = facts;
  const dir = mkdtempSync(join(tmpdir(), 'storpool-doctor-'));
  const copy = join(dir, basename(fname));
  const take = () => {
    for (const end of ['', '.backup']) {
      if (existsSync(fname + end)) copyFaithfully(fname + end, copy + end);
    }
  };
  try {
    // To take the lock would remove what is abandoned.
    const lock = abandonedLocks(facts).length > 0 ? undefined : await tryLock(fname, take, signal);
    if (typeof lock === 'number') return { lock, cache: await readCopy(copy, fname, signal) };
    // Somebody may write just now: what is torn for longer than that is torn.
    let cache: Facts['cache'];
    for (let left = 2; left > 0 && (!cache || cache instanceof Error || cache.restored); left--) {
      if (cache) await setTimeout(WRITE_TIME, undefined, { signal });
      take();
      cache = await readCopy(copy, fname, signal);
    }
    const isHeld = lock instanceof SPLockedFileError && lock.code === 'ELOCKED';
    return {
      ...(lock && { lock }),
      ...(isHeld && { holder: describeHolder(realpathSync(fname)) }),
      ...(cache && { cache }),
    };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Whose it is and how old it is decides whether the library trusts a copy. */
function copyFaithfully(from: string, to: string): void {
  const { uid, gid, atime, mtime } = statSync(from);
  copyFileSync(from, to);
  utimesSync(to, atime, mtime);
  chownSync(to, process.getuid?.() === 0 ? uid : -1, mayGive(gid) ? gid : -1);
}

const mayGive = (gid: number) => process.getuid?.() === 0 || process.getgroups?.().includes(gid);

async function tryLock(fname: string, fn: () => void, signal: AbortSignal): Promise<number | Error> {
  const file = new QuietDB(fname, { kernelLock: 'required', timeout: LOCK_TIMEOUT });
  return attempt(async () => {
    const start = performance.now();
    return file.withLock(
      () => {
        const ms = performance.now() - start;
        fn();
        return ms;
      },
      { signal },
    );
  });
}

async function readCopy(copy: string, fname: string, signal: AbortSignal): Promise<Cache | Error> {
  const before = readFileSync(copy);
  const backup = existsSync(`${copy}.backup`) ? readFileSync(`${copy}.backup`) : undefined;
  const db = new QuietDB(copy);
  const inWords = (words: string) => words.replaceAll(copy, fname).replaceAll(realpathSync(copy), fname);
  const entries = await attempt(() => db.get({ signal }));
  if (entries instanceof Error) return new Error(inWords(entries.message), { cause: entries });
  const isRestored = !readFileSync(copy).equals(before);
  return {
    entries: new Map(Object.entries(entries)),
    restored: isRestored ? inWords(db.warnings.join('; ')) : undefined,
    // What else the copy holds is the library's own.
    copyIsSame: backup?.subarray(0, before.length).equals(before),
  };
}

async function examineCluster(
  db: AttachDB,
  cache: Facts['cache'],
  signal: AbortSignal,
): Promise<Pick<Facts, 'unusable' | 'api' | 'rows'>> {
  const [clientId, api] = await Promise.all([
    attempt(() => db.clientId()),
    attempt(() => makeApi(db.config())),
  ]);
  const unusable = [clientId, api].filter((one) => one instanceof Error);
  if (api instanceof Error) return { unusable };
  const start = performance.now();
  const attachments = await attempt(() => attachmentsOf(api, Number(clientId), signal));
  if (attachments instanceof Error) return { unusable, api: attachments };
  const ms = performance.now() - start;
  if (clientId instanceof Error || !cache || cache instanceof Error) return { unusable, api: ms };
  const { entries } = cache;
  const exists = await attempt(() => existing(api, missing(entries, attachments), signal));
  if (exists instanceof Error) return { unusable, api: exists };
  const scene = { entries, attachments, prefix: db.volumePrefix(), exists, ...devicesOf(db, attachments) };
  return { unusable, api: ms, rows: rowsOf(scene) };
}
