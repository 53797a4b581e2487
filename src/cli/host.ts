import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { Api, AttachDB, describeHolder, SPConfig, SPLockedFileError } from '../index.js';
import { type Options, UsageError } from './options.js';
import { type Entries, type HostAttachment, missing } from './rows.js';

/** The settings, and where each of them comes from. */
export interface Settings {
  config: SPConfig;
  originOf(key: string): string | undefined;
}

/** @throws SPConfigError, UsageError */
export function readSettings({ config: file, section, set = [] }: Options): Settings {
  const given = Object.fromEntries(set.map(parseSetting));
  // Who gives settings may have no file at all; but one that is named must be there.
  const found = new SPConfig({ file, section, missingOk: set.length > 0 && file === undefined });
  if (set.length === 0) return { config: found, originOf: (key) => found.origin(key) };
  const config = new SPConfig({ overrideConfig: { ...Object.fromEntries(found), ...given } });
  return { config, originOf: (key) => (Object.hasOwn(given, key) ? '--set' : found.origin(key)) };
}

function parseSetting(setting: string): [string, string] {
  const at = setting.indexOf('=');
  // Not shown, because it may be the token.
  if (at < 1) throw new UsageError('--set takes KEY=VALUE');
  return [setting.slice(0, at), setting.slice(at + 1)];
}

/** An operator wants to be told that the API fails, not to wait until it does not. Milliseconds. */
const API_TIMEOUT = 10_000;
const LOCK_TIMEOUT = 1000;

/** @throws SPConfigError when there is no token or no way to the API */
export const makeApi = (config: SPConfig) =>
  Api.fromConfig(config, { transientRetries: 0, timeout: API_TIMEOUT });

/** @throws SPConfigError, UsageError */
export function openCache(options: Options, warn: (message: string) => void): AttachDB {
  const { config } = readSettings(options);
  return new AttachDB({
    log: { warn },
    config,
    api: makeApi(config),
    fname: options.file,
    deviceDir: options['device-dir'],
  });
}

/** What can be seen of a host. */
export interface Survey {
  entries: Entries;
  attachments: HostAttachment[];
  exists(volume: string, snapshot: boolean): boolean;
  deviceOf(volume: string): string | null;
  /** Why this was read without the lock; `null` if it was read under it. */
  withoutLock: string | null;
}

/** Looks at the cache, the attachments and the devices at one moment: under the lock, if that is soon free. Changes nothing. */
export async function survey(db: AttachDB, signal: AbortSignal): Promise<Survey> {
  const clientId = db.clientId();
  const look = async () => {
    const entries = parseCache(readFileSync(db.fname), db.fname);
    const attachments = await attachmentsOf(db.api(), clientId, signal);
    return { entries, attachments, ...devicesOf(db, attachments) };
  };
  const { seen, withoutLock } = await underLockIfFree(db, look, signal);
  return {
    ...seen,
    exists: await existing(db.api(), missing(seen.entries, seen.attachments), signal),
    withoutLock,
  };
}

const NOT_LOCKABLE = new Set(['ELOCKED', 'EACCES', 'EPERM', 'EROFS', 'ENOTSUP']);

async function underLockIfFree<T>(db: AttachDB, look: () => Promise<T>, signal: AbortSignal) {
  let locked = false;
  try {
    const seen = await db.withLock(
      () => {
        locked = true;
        return look();
      },
      { timeout: LOCK_TIMEOUT, signal },
    );
    return { seen, withoutLock: null };
  } catch (error) {
    if (locked || !(error instanceof SPLockedFileError) || !NOT_LOCKABLE.has(error.code)) throw error;
    const withoutLock = error.code === 'ELOCKED' ? describeHolder(realpathSync(db.fname)) : error.message;
    try {
      return { seen: await look(), withoutLock };
    } catch (second) {
      // Who may not even read the file is told by the library what to do.
      throw (second as NodeJS.ErrnoException).syscall === 'open' ? error : second;
    }
  }
}

/** @throws Error for what no service could use either */
function parseCache(bytes: Buffer, fname: string): Entries {
  const advice = '"storpool-attachdb doctor" says what to do';
  let content: unknown;
  try {
    content = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new Error(`${fname} is torn or damaged (${(cause as Error).message}); ${advice}`, { cause });
  }
  if (typeof content === 'object' && content !== null && !Array.isArray(content)) {
    return new Map(Object.entries(content));
  }
  throw new Error(`${fname} does not hold a JSON object; ${advice}`);
}

export async function attachmentsOf(
  api: Pick<Api, 'attachmentsList'>,
  clientId: number,
  signal: AbortSignal,
): Promise<HostAttachment[]> {
  return (await api.attachmentsList({ signal })).filter(({ client }) => client === clientId);
}

/** Whether the cluster has what is wanted and not attached; nothing is read when there is no such thing. */
export async function existing(
  api: Pick<Api, 'volumesList' | 'snapshotsList'>,
  wanted: readonly { snapshot: boolean }[],
  signal: AbortSignal,
): Promise<Survey['exists']> {
  const wants = (kind: boolean) => wanted.some(({ snapshot }) => snapshot === kind);
  const [volumes, snapshots] = await Promise.all([
    wants(false) ? api.volumesList({ signal }) : [],
    wants(true) ? api.snapshotsList({ signal }) : [],
  ]);
  const names = [volumes, snapshots].map((list) => new Set(list.map(({ name }) => name)));
  return (volume, snapshot) => names[snapshot ? 1 : 0]?.has(volume) ?? false;
}

/** Looked at now, not when it is asked for. */
export function devicesOf(db: AttachDB, attachments: readonly HostAttachment[]): Pick<Survey, 'deviceOf'> {
  const paths = attachments.map(({ volume }) => [volume, db.devicePath(volume)] as const);
  const there = new Map(paths.filter(([, path]) => existsSync(path)));
  return { deviceOf: (volume) => there.get(volume) ?? null };
}
