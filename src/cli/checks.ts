import { accessSync, constants, readFileSync, statSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  type Api,
  ApiConnectionError,
  ApiError,
  type Attachment,
  type HostStatus,
  type SPConfigError,
} from '../index.js';
import { examinePlace, type Finding, fault, giveToGroup, ok, type Place, skipped } from './findings.js';
import {
  attempt,
  type Cache,
  codeOf,
  describeLock,
  look,
  problemOf,
  type Settings,
  type SideFile,
  sideFiles,
} from './host.js';
import { duration, listed, plural, shellWord } from './terminal.js';
import { deviceFinding, LOG_REMEDY, volumeFindings } from './volume-findings.js';

/** A host, and what the checks find out about it. What is missing could not be looked at; an earlier check says why. */
export interface Host {
  readonly cache: Cache;
  readonly signal: AbortSignal;
  readonly settings: Settings | Error;
  readonly clientId: number | Error;
  api: Api | Error;
  /** Of all clients. */
  attachments?: Attachment[];
  /** These two if they can be used. */
  directory?: Place['usable'];
  file?: Place['usable'];
  side: SideFile[];
  entries?: Record<string, unknown>;
  status?: HostStatus;
}

type Check = (host: Host) => Promise<Finding | Finding[]>;

const SHOWN = /^SP_(OURID|AUTH_TOKEN|API_HTTP_HOST|API_HTTP_PORT|OPENSTACK_VOLUME_PREFIX)$/u;
const BYTE_ORDER_MARK = Buffer.from('\ufeff');

const configuration: Check = async ({ settings, clientId, api }) => {
  if (settings instanceof Error) return unreadable(settings);
  const { config, files, originOf } = settings;
  const shown = Object.entries(config.toJSON()).filter(([key]) => SHOWN.test(key));
  const details = shown.map(([key, value]) => `${key}=${value} (${originOf(key)})`);
  const remedy = 'Look at the files and at their section for this host; --section NAME tries another';
  const faults = [clientId, api]
    .filter((one) => one instanceof Error)
    .map(({ message }) => fault(message, { remedy, details }));
  for (const file of files.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile())) {
    if (originOf('SP_AUTH_TOKEN') === file && statSync(file).mode & 0o004) {
      const message = `${file} holds SP_AUTH_TOKEN, and everybody on this host may read it`;
      faults.push(fault(message, { command: `${giveToGroup(file)}; chmod g+r,o= ${shellWord(file)}` }));
    }
    if (readFileSync(file).subarray(0, 3).equals(BYTE_ORDER_MARK)) {
      const message = `${file} begins with a byte order mark, which Python services take for a part of the first name`;
      faults.push(fault(message, { command: `sed -i '1s/^\\xef\\xbb\\xbf//' ${shellWord(file)}` }));
    }
  }
  return faults.length > 0 ? faults : ok('the client ID and the token are set', details);
};

function unreadable(error: Error): Finding {
  const { file, cause } = error as Partial<SPConfigError>;
  if (file === undefined || codeOf(cause) !== 'EACCES')
    return fault(error.message, { remedy: 'Correct it, or name another file with --config' });
  const command = `${giveToGroup(file)}; chmod g+r ${shellWord(file)}`;
  return fault(error.message, { remedy: 'Let the services read it through their group', command });
}

/** Milliseconds. */
const SLOW = 2000;

const api: Check = async (host) => {
  const { settings, cache, signal } = host;
  if (settings instanceof Error || host.api instanceof Error)
    return skipped('the configuration is incomplete');
  const { config, originOf } = settings;
  const from = (key: string) => `${key} (${originOf(key)})`;
  const start = performance.now();
  const list = await attempt(() => cache.db.api().attachmentsList({ signal }));
  const took = Math.round(performance.now() - start);
  if (list instanceof Error) {
    host.api = list;
    const address = `${from('SP_API_HTTP_HOST')} and ${from('SP_API_HTTP_PORT')}`;
    if (list instanceof ApiConnectionError)
      return fault(list.message, {
        remedy: `Is the management service running there? The address is in ${address}`,
      });
    const isRefused = list instanceof ApiError && /auth/iu.test(list.code);
    return fault(list.message, { remedy: isRefused ? `Correct ${from('SP_AUTH_TOKEN')}` : LOG_REMEDY });
  }
  host.attachments = list;
  const answers = `${config.get('SP_API_HTTP_HOST')}:${config.get('SP_API_HTTP_PORT')} answers in ${took} ms`;
  if (took <= SLOW) return ok(`${answers}, and takes the token`);
  return fault(answers, { remedy: 'Look at the load of the management service, and at the network' });
};

const directory: Check = async (host) => {
  const { fname } = host.cache.db;
  const { usable, findings } = await examinePlace(dirname(fname), 'directory');
  if (usable) Object.assign(host, { directory: usable, side: sideFiles(fname) });
  return findings;
};

const file: Check = async (host) => {
  if (host.directory === undefined) return skipped('its directory is not usable');
  const { usable, findings } = await examinePlace(host.cache.db.fname, 'file', host.directory);
  if (usable) host.file = usable;
  return findings;
};

const lock: Check = async ({ file, cache, signal }) => {
  const { fname } = cache.db;
  if (file === undefined) return skipped('the file is not usable');
  const db = cache.open(fname, { kernelLock: 'required' });
  const start = performance.now();
  const problem = await attempt(() => db.withLock(() => undefined, { signal }));
  if (!(problem instanceof Error)) {
    const koffi = await attempt(() => import('koffi'));
    const through = koffi instanceof Error ? 'the flock program' : 'koffi';
    return ok(`taken and given back through ${through}, after ${(performance.now() - start).toFixed(1)} ms`);
  }
  signal.throwIfAborted();
  if (codeOf(problem) !== 'ELOCKED')
    return fault(problem.message, { remedy: 'Without it, services do not see the locks of Python services' });
  return fault(`${fname} is locked: ${describeLock(fname)}`, {
    remedy: 'Look at that process: even if it is stopped or hangs, it keeps the lock',
  });
};

const cache: Check = async (host) => {
  const { file, side, signal } = host;
  const { fname } = host.cache.db;
  if (file === undefined) return skipped('the file is not usable');
  const read = await attempt(() => look(host.cache, (db) => db.get({ signal })));
  signal.throwIfAborted();
  if (read instanceof Error) {
    const command =
      codeOf(read) === 'ECORRUPT' ? host.cache.command('repair') : adopt(fname, `${fname}.backup`);
    return fault(read.message, { command });
  }
  host.entries = read.seen;
  const faults = Object.entries(read.seen).flatMap(([id, entry]) => entryFault(id, entry, host.cache) ?? []);
  const journal = side.find(({ path }) => path.endsWith('.backup'));
  if (journal !== undefined) faults.push(...(await journalFaults(fname, journal)));
  return faults.length > 0 ? faults : ok(plural(Object.keys(read.seen).length, 'request'));
};

const adopt = (fname: string, path: string) =>
  ['chown', 'chmod'].map((tool) => `${tool} --reference=${shellWord(fname)} ${shellWord(path)}`).join('; ');

async function journalFaults(fname: string, { path, isFile }: SideFile): Promise<Finding[]> {
  const denied = await attempt(() => accessSync(path, constants.R_OK | constants.W_OK));
  if (isFile && !(denied instanceof Error)) return [];
  const message = `${path} cannot be read and written by this user, so a write that is interrupted cannot be finished`;
  return [
    fault(message, {
      command: isFile ? adopt(fname, path) : `mv ${shellWord(path)} ${shellWord(path)}-moved`,
    }),
  ];
}

function entryFault(
  id: string,
  entry: unknown,
  { db: { fname }, command: type }: Cache,
): Finding | undefined {
  const command = type('forget', id);
  const problem = problemOf(id, entry, `in ${fname}`);
  if (problem !== null)
    return fault(problem, { remedy: 'Correct it with the services stopped, or drop it', command });
  const { id: own } = entry as { id?: unknown };
  if (own === id) return undefined;
  const message = `Request ${id} in ${fname} has ${own === undefined ? 'no id' : `the id ${JSON.stringify(own)}`}`;
  const remedy = `Python services fail on it: add "id": ${JSON.stringify(id)} with the services stopped, or drop it`;
  return fault(message, { remedy, command });
}

/** What earlier versions made beside the cache. */
const EARLIER = /\.(restored|holder|torn\.\d+|backup\.new)$/u;

const leftovers: Check = async ({ directory, side, cache: { db }, signal }) => {
  if (directory === undefined) return skipped('the directory is not usable');
  const torn = side.find(({ path }) => path.endsWith('.torn'));
  const kept = torn ? [`${torn.path} (${torn.size} bytes) is what a repair has kept`] : [];
  const ofEarlier = (files: SideFile[]) => files.filter(({ path, isFile }) => isFile && EARLIER.test(path));
  const earlier = ofEarlier(side);
  if (earlier.length === 0) return ok('none of earlier versions', kept);
  const names = listed(earlier.map(({ path, size }) => `${path} (${size} bytes)`));
  const remedy =
    'Look into .torn.N, which may hold requests that the cache lacks; nothing else is of use. --fix removes them all';
  const remove = () => {
    for (const { path } of ofEarlier(sideFiles(db.fname))) unlinkSync(path);
  };
  const fix = {
    what: `remove ${earlier.map(({ path }) => path).join(', ')}`,
    apply: () => db.withLock(remove, { signal }),
  };
  return fault(`Left by an earlier version: ${names}`, { remedy, details: kept, fix });
};

const volumes: Check = async (host) => {
  const { entries, settings, clientId, cache, signal } = host;
  if (entries === undefined) return skipped('the cache is not usable');
  if (settings instanceof Error || clientId instanceof Error)
    return skipped('the configuration is incomplete');
  const status = await attempt(() => look(cache, (db) => db.status({ signal })));
  signal.throwIfAborted();
  if (status instanceof Error) return skipped(status.message);
  host.status = status.seen;
  const findings = volumeFindings(status.seen, {
    cache,
    attachments: host.attachments,
    originOf: settings.originOf,
    signal,
  });
  if (findings.length > 0) return findings;
  return host.api instanceof Error
    ? skipped('the API does not say what is attached')
    : ok('what is wanted is attached, and the other way round');
};

const devices: Check = async ({ status, api, cache }) => {
  if (status === undefined || api instanceof Error) return skipped('it is not known what is attached');
  return deviceFinding(status, dirname(cache.db.devicePath('-')));
};

const AHEAD = 5000;

const clock: Check = async ({ side, file, directory }) => {
  const now = Date.now();
  const known = [directory ?? [], file ?? [], side].flat();
  const ahead = known.filter(({ mtimeMs }) => mtimeMs > now + AHEAD);
  if (ahead.length === 0) return ok(new Date(now).toISOString());
  const most = Math.max(...ahead.map(({ mtimeMs }) => mtimeMs)) - now;
  const message = `${ahead.map(({ path }) => path).join(', ')}: changed ${duration(most)} in the future`;
  return fault(message, { remedy: 'Was the clock of this host set back? Let NTP or chrony keep it' });
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
