import { readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Api, ApiConnectionError, ApiError, AttachDB } from '../index.js';
import { examinePlace, type Finding, fault, listed, ok, type Place, plural, skipped } from './findings.js';
import {
  attempt,
  isTorn,
  look,
  parseCache,
  readCache,
  rowsOf,
  type Settings,
  type SideFile,
  sideFiles,
} from './host.js';
import { problemOf, type Row } from './rows.js';

/** A host, and what the checks find out about it. What is missing could not be looked at; an earlier check says why. */
export interface Host {
  readonly db: AttachDB;
  readonly signal: AbortSignal;
  readonly settings: Settings | Error;
  readonly clientId: number | Error;
  api: Api | Error;
  /** These two if they can be used. */
  directory?: Place['usable'];
  file?: Place['usable'];
  side: SideFile[];
  /** As found under the lock. */
  content?: ReturnType<typeof readBoth> | Error;
  rows?: Row[] | Error;
}

type Check = (host: Host) => Promise<Finding | Finding[]>;

const SHOWN = /^SP_(OURID|AUTH_TOKEN|API_HTTP_HOST|API_HTTP_PORT|OPENSTACK_VOLUME_PREFIX)$/u;

const configuration: Check = async ({ settings, clientId, api }) => {
  if (settings instanceof Error)
    return fault(settings.message, 'Correct it, or name another file with --config');
  const shown = Object.entries(settings.config.toJSON()).filter(([key]) => SHOWN.test(key));
  const details = shown.map(([key, value]) => `${key}=${value} (${settings.originOf(key)})`);
  const problems = [clientId, api].filter((one) => one instanceof Error);
  if (problems.length === 0) return ok('the client ID and the token are set', details);
  const remedy = 'Look at the files and at their section for this host; --section NAME tries another';
  return problems.map(({ message }) => fault(message, remedy, { details }));
};

/** Milliseconds. */
const SLOW = 2000;
const LOG_REMEDY = 'The log of the management service says more';

const api: Check = async (host) => {
  const { settings, db, signal } = host;
  if (settings instanceof Error || host.api instanceof Error)
    return skipped('the configuration is incomplete');
  const { config, originOf } = settings;
  const from = (key: string) => `${key} (${originOf(key)})`;
  const start = performance.now();
  const list = await attempt(() => db.api().attachmentsList({ signal }));
  const took = Math.round(performance.now() - start);
  if (list instanceof Error) {
    host.api = list;
    const address = `${from('SP_API_HTTP_HOST')} and ${from('SP_API_HTTP_PORT')}`;
    if (list instanceof ApiConnectionError)
      return fault(list.message, `Is the management service running there? The address is in ${address}`);
    const isRefused = list instanceof ApiError && /auth/iu.test(list.code);
    return fault(list.message, isRefused ? `Correct ${from('SP_AUTH_TOKEN')}` : LOG_REMEDY);
  }
  const answers = `${config.get('SP_API_HTTP_HOST')}:${config.get('SP_API_HTTP_PORT')} answers in ${took} ms`;
  if (took <= SLOW) return ok(`${answers}, and takes the token`);
  return fault(answers, 'Look at the load of the management service, and at the network');
};

const directory: Check = async (host) => {
  const { fname } = host.db;
  const path = dirname(fname);
  const create = `install -d -o root -g spopenstack -m 2770 ${path}`;
  const { usable, findings } = await examinePlace(path, 'directory', create);
  if (usable) Object.assign(host, { directory: usable, side: sideFiles(fname) });
  return findings;
};

const file: Check = async (host) => {
  const { fname } = host.db;
  if (host.directory === undefined) return skipped('its directory is not usable');
  const create = `echo '{}' >${fname}; chmod 0660 ${fname}; chgrp spopenstack ${fname}`;
  const { usable, findings } = await examinePlace(fname, 'file', create, host.directory);
  if (usable) host.file = usable;
  return findings;
};

const lock: Check = async (host) => {
  const { fname } = host.db;
  if (host.file === undefined) return skipped('the file is not usable');
  // To take the lock would remove what is abandoned.
  if (abandonedLock(host) !== undefined) return skipped('see the leftovers');
  const quiet = { warn: () => undefined };
  const db = new AttachDB({ fname, log: quiet, lock: { kernelLock: 'required' } });
  const start = performance.now();
  let waited = '';
  const see = () => {
    waited = (performance.now() - start).toFixed(1);
    return readBoth(fname);
  };
  const { seen, withoutLock } = await look(db, see, host.signal);
  host.content = seen;
  if (withoutLock === null) {
    const koffi = await attempt(() => import('koffi'));
    const through = koffi instanceof Error ? 'the flock program' : 'koffi';
    return ok(`taken and given back through ${through}, after ${waited} ms`);
  }
  const { isHeld, problem } = withoutLock;
  if (!isHeld) return fault(problem, 'Without it, services do not see the locks of Python services');
  const message = `${fname} has been locked for more than a second: ${problem}`;
  return fault(message, 'Look at that process: even if it is stopped or hangs, it keeps the lock');
};

/** What the cache holds, and whether its copy holds the same, if there is a copy. */
function readBoth(fname: string) {
  const bytes = readFileSync(fname);
  // To open a pipe would wait for its other end.
  const hasCopy = statSync(`${fname}.backup`, { throwIfNoEntry: false })?.isFile();
  const copy = hasCopy ? readFileSync(`${fname}.backup`) : undefined;
  // Whatever else is in a copy is the library's own.
  return { entries: parseCache(fname, bytes), isCopied: copy?.subarray(0, bytes.length).equals(bytes) };
}

/** Milliseconds. */
const OLD = 600_000;

const cache: Check = async (host) => {
  const { db, file, side, signal } = host;
  const { fname } = db;
  if (file === undefined) return skipped('the file is not usable');
  const content = host.content ?? (await attempt(() => readBoth(fname)));
  const copy = side.find(({ path }) => path === `${fname}.backup`);
  const what = `read ${fname} as a service does, which restores it or renews its copy`;
  const fix = { what, apply: async () => void (await db.get({ signal })) };
  if (content instanceof Error) {
    if ('syscall' in content) return fault(content.message, 'Give it the owner, group and mode of the cache');
    if (!copy) return fault(content.message, 'guide/operating.md, "Rebuilding the cache", says how');
    const remedy =
      'If it is torn, the next service that reads it restores it from its copy; --fix does so now';
    return fault(content.message, remedy, { fix });
  }
  const { entries, isCopied } = content;
  const isUsable = !(host.api instanceof Error || host.clientId instanceof Error);
  if (isUsable) host.rows = await attempt(() => rowsOf(db, entries, signal));
  const faults = [...entries].flatMap(([id, entry]) => entryFault(id, entry, fname) ?? []);
  const age = copy && !isCopied ? file.mtimeMs - copy.mtimeMs : 0;
  if (age > OLD) {
    const minutes = Math.round(age / 60_000);
    const message = `${fname}.backup is ${minutes} minutes older than the cache, and holds something else`;
    const remedy = 'If the cache were torn now, this old content would come back; --fix renews the copy';
    faults.push(fault(message, remedy, { fix }));
  }
  const state = copy ? `the copy is ${isCopied ? 'the same' : 'young'}` : 'no copy yet';
  return faults.length > 0 ? faults : ok(`${plural(entries.size, 'request')}, ${state}`);
};

function entryFault(id: string, entry: unknown, fname: string): Finding | undefined {
  const problem = problemOf(id, entry, fname);
  if (problem !== undefined) return fault(problem, 'Stop the services while you edit the file');
  const { id: own } = entry as { id?: unknown };
  if (own === id) return undefined;
  const message = `Request ${id} in ${fname} has ${own === undefined ? 'no id' : `the id ${JSON.stringify(own)}`}`;
  return fault(
    message,
    `Python services fail on it: add "id": ${JSON.stringify(id)}, with the services stopped`,
  );
}

/** Whoever holds a lock refreshes it more often than that. Milliseconds. */
const ABANDONED = 10_000;

/** Only the lock directory is refreshed; who made it is written down once. */
function abandonedLock({ side, db: { fname } }: Host): SideFile | undefined {
  const named = (end: string) => side.find(({ path }) => path === fname + end);
  const oldest = named('.lock') ?? named('.holder');
  return oldest !== undefined && Date.now() - oldest.mtimeMs > ABANDONED ? oldest : undefined;
}

const leftovers: Check = async (host) => {
  const { db, side, signal } = host;
  const { fname } = db;
  if (host.directory === undefined) return skipped('the directory is not usable');
  const faults: Finding[] = [];
  const abandoned = abandonedLock(host);
  if (abandoned !== undefined) {
    const message = `${abandoned.path}: whoever made it has died, or has not run for 10 s`;
    const remedy = 'The next service that needs the lock waits for up to 10 s and removes it; so does --fix';
    const what = `wait up to 15 s for the lock on ${fname}, which removes what is abandoned, and give it back`;
    faults.push(
      fault(message, remedy, { fix: { what, apply: () => db.withLock(() => undefined, { signal }) } }),
    );
  }
  const torn = side.filter(isTorn);
  if (torn.length > 0) {
    const files = torn.map(({ path, size }) => `${path} (${size} bytes)`).join(', ');
    const message = `${plural(torn.length, 'torn file')} from before a restore: ${files}`;
    const remedy = 'Check whether they hold requests that the cache lacks; --fix removes them';
    const removable = torn.filter(({ isFile }) => isFile);
    faults.push(fault(message, remedy, removable.length > 0 ? { fix: removal(removable, host) } : {}));
  }
  const mark = side.find(({ path }) => path === `${fname}.restored`);
  if (mark !== undefined) faults.push(await restoredMark(mark, host));
  return faults.length > 0 ? faults : ok('none');
};

/** Whether something was lost shows in what is attached: only then is it safe that services force again. */
async function restoredMark(mark: SideFile, host: Host): Promise<Finding> {
  const message = `${mark.path}: the cache was restored from a copy that may be old; until this file is removed, nothing is detached by force`;
  const note = mark.isFile ? await attempt(() => readFileSync(mark.path, 'utf8')) : '';
  const details = note instanceof Error ? [note.message] : note.trim().split('\n');
  const isLost = ({ verdict }: Row) => verdict === 'attached, but no request';
  const lost = Array.isArray(host.rows) ? host.rows.filter(isLost).map(({ volume }) => volume) : undefined;
  if (lost?.length === 0 && mark.isFile) {
    const remedy = 'Everything that is attached has a request, so nothing is lost; --fix removes the mark';
    return fault(message, remedy, { details, fix: removal([mark], host) });
  }
  const names = lost ? `attached, but without a request: ${listed(lost)}` : '"status" shows what is attached';
  const remedy = `Add the requests that were lost, or detach what nobody needs (${names}); then remove the mark`;
  return fault(message, remedy, { details });
}

/** Removes what is still as it was shown. */
function removal(files: SideFile[], { db, signal }: Host) {
  const remove = () => {
    const now = new Set(sideFiles(db.fname).map((one) => JSON.stringify(one)));
    for (const one of files) if (now.has(JSON.stringify(one))) unlinkSync(one.path);
  };
  return {
    what: `remove ${listed(files.map(({ path }) => path))}`,
    apply: () => db.withLock(remove, { signal }),
  };
}

const NO_ROWS = skipped('the cache or the API is not usable');
const staleIn = (rows: readonly Row[]) =>
  rows.filter(({ verdict }) => verdict.startsWith('stale')).flatMap(({ requests }) => requests);

const volumes: Check = async ({ rows, db, signal }) => {
  if (rows === undefined) return NO_ROWS;
  if (rows instanceof Error) return fault(rows.message, LOG_REMEDY);
  const stale = staleIn(rows);
  if (stale.length === 0) return ok('the cluster has every volume that a request names');
  const drop = async () => {
    const now = new Set(staleIn(await rowsOf(db, readCache(db.fname), signal)));
    await db.removeKeys(stale.filter((id) => now.has(id)));
  };
  const message = `${plural(stale.length, 'request')} in ${db.fname} for volumes that the cluster does not have: ${listed(stale)}`;
  const what = `remove from ${db.fname} the requests ${listed(stale)}`;
  const fix = { what, apply: () => db.withLock(drop, { signal }) };
  return fault(message, 'The next sync() removes them; so does --fix', { fix });
};

const devices: Check = async ({ rows, db }) => {
  if (!Array.isArray(rows)) return NO_ROWS;
  const dir = dirname(db.devicePath('-'));
  const without = rows.filter(({ verdict }) => verdict === 'no device').map(({ volume }) => volume);
  if (without.length === 0) return ok(`every requested volume that is attached has its device in ${dir}`);
  const message = `${plural(without.length, 'attached volume')} without a device in ${dir}: ${listed(without)}`;
  return fault(message, 'Are storpool_block and udev running on this host?');
};

const AHEAD = 5000;

const clock: Check = async ({ side, file, directory }) => {
  const now = Date.now();
  const known = [directory ?? [], file ?? [], side].flat();
  const ahead = known.filter(({ mtimeMs }) => mtimeMs > now + AHEAD);
  if (ahead.length === 0) return ok(new Date(now).toISOString());
  const seconds = Math.round((Math.max(...ahead.map(({ mtimeMs }) => mtimeMs)) - now) / 1000);
  const message = `${ahead.map(({ path }) => path).join(', ')}: changed ${seconds} s in the future`;
  return fault(message, 'Was the clock of this host set back? Let NTP or chrony keep it');
};

/** In this order: what an earlier one finds may be the reason for what a later one cannot look at. */
export const CHECKS = {
  configuration,
  API: api,
  directory,
  file,
  lock,
  cache,
  leftovers,
  volumes,
  devices,
  clock,
};
