import { ApiConnectionError, ApiError } from '../../index.js';
import { problemOf } from '../rows.js';
import { abandonedLocks, type Facts } from './examine.js';
import type { SideFile } from './files.js';
import { type Check, type Finding, fault, listed, ok, plural, skipped, unless } from './finding.js';
import { directory, file } from './permissions.js';

const SHOWN = [
  'SP_OURID',
  'SP_AUTH_TOKEN',
  'SP_API_HTTP_HOST',
  'SP_API_HTTP_PORT',
  'SP_OPENSTACK_VOLUME_PREFIX',
];

const configuration: Check = ({ settings, unusable }) => {
  if (settings instanceof Error) {
    return [fault(settings.message, 'Correct it, or name another file with --config')];
  }
  const { config, originOf } = settings;
  const shown = config.toJSON();
  const details = SHOWN.filter((key) => config.has(key)).map(
    (key) => `${key}=${shown[key]} (${originOf(key)})`,
  );
  const remedy =
    'The files and their section for this host (--section NAME tries another) say what each service gets';
  return unless(
    unusable.map(({ message }) => ({ ...fault(message, remedy), details })),
    () => ok('client ID and token are there', details),
  );
};

const SLOW = 2000;

const api: Check = ({ api, settings }) => {
  if (api === undefined || settings instanceof Error) return skipped('the configuration leads to no API');
  const { config, originOf } = settings;
  const origin = (key: string) => `${key} (${originOf(key)})`;
  const address = `${config.get('SP_API_HTTP_HOST')}:${config.get('SP_API_HTTP_PORT')}`;
  if (typeof api === 'number') {
    const took = `${address} answers in ${Math.round(api)} ms`;
    return [
      api > SLOW
        ? fault(took, 'Look at the load of the management service, and at the network')
        : ok(`${took}, and takes the token`),
    ];
  }
  if (api instanceof ApiConnectionError) {
    const where = `${origin('SP_API_HTTP_HOST')} and ${origin('SP_API_HTTP_PORT')}`;
    return [fault(api.message, `Is the management service running there? The address is in ${where}`)];
  }
  const refused = api instanceof ApiError && /auth/iu.test(api.code);
  return [
    fault(
      api.message,
      refused ? `Correct ${origin('SP_AUTH_TOKEN')}` : 'The log of the management service says more',
    ),
  ];
};

const lock: Check = (facts) => {
  const { lock, locker, holder, fname } = facts;
  if (lock === undefined) {
    return skipped(abandonedLocks(facts).length > 0 ? 'see the leftovers' : 'the file is not usable');
  }
  if (typeof lock === 'number')
    return [ok(`taken and given back through ${locker}, after ${lock.toFixed(1)} ms`)];
  if (holder !== undefined) {
    const remedy = 'Look at what that process does: one that is stopped or hangs keeps the lock';
    return [fault(`${fname} is locked by somebody for longer than a second: ${holder}`, remedy)];
  }
  return [
    fault(
      lock.message,
      'Each service that finds no kernel lock goes on without it, unseen by Python services',
    ),
  ];
};

const OLD_COPY = 600_000;

const cache: Check = ({ cache, fname, file, side }) => {
  if (cache === undefined) return skipped('the file is not usable');
  if (cache instanceof Error)
    return [fault(cache.message, 'guide/operating.md, "Rebuilding the cache", says how')];
  const { entries, restored, copyIsSame } = cache;
  const faults: Finding[] = [];
  if (restored !== undefined) {
    const remedy = 'The next service that reads it restores it from its copy; --fix lets that happen now';
    faults.push(fault(`${fname} is torn. What reading it will say: ${restored}`, remedy, { kind: 'read' }));
  }
  for (const [id, entry] of entries) {
    const problem = problemOf(id, entry, fname);
    const ownId = (entry as { id?: unknown } | null)?.id;
    if (problem !== undefined) faults.push(fault(problem, 'Stop the services while you edit the file'));
    else if (ownId !== id) {
      const message = `Request ${id} in ${fname} has ${ownId === undefined ? 'no id' : `the id ${JSON.stringify(ownId)}`}`;
      faults.push(
        fault(
          message,
          `Python services fail on it: add "id": ${JSON.stringify(id)}, with the services stopped`,
        ),
      );
    }
  }
  const copy = side.find(({ path }) => path === `${fname}.backup`);
  const age =
    copy === undefined || file === undefined || file instanceof Error ? 0 : file.mtimeMs - copy.mtimeMs;
  if (restored === undefined && copyIsSame === false && age > OLD_COPY) {
    const message = `${copy?.path} is ${Math.round(age / 60_000)} minutes older than the cache, and holds something else`;
    const remedy =
      'Should the cache be torn now, an old one would come back; reading it with --fix renews the copy';
    faults.push(fault(message, remedy, { kind: 'read' }));
  }
  const copyInWords =
    copy === undefined ? 'no copy yet' : copyIsSame ? 'the copy is the same' : 'the copy is young';
  return unless(faults, () => ok(`${plural(entries.size, 'request')}, ${copyInWords}`));
};

const leftovers: Check = (facts) => {
  const { side, fname, rows, directory } = facts;
  if (directory instanceof Error || directory.denied !== undefined)
    return skipped('the directory is not usable');
  const faults: Finding[] = [];
  const [abandoned] = abandonedLocks(facts);
  if (abandoned !== undefined) {
    const message = `${abandoned.path}: whoever made it has died, or has not run for 10 s`;
    const remedy = 'The next service that needs the lock waits for up to 10 s and removes it; so does --fix';
    faults.push(fault(message, remedy, { kind: 'lock' }));
  }
  const torn = side.filter(({ path }) => path.startsWith(`${fname}.torn`));
  if (torn.length > 0) {
    const message = `${plural(torn.length, 'torn file')} from before a restore: ${torn.map(named).join(', ')}`;
    const remedy = 'Look whether they hold requests that the cache lacks; --fix removes them';
    faults.push(fault(message, remedy, { kind: 'remove', files: torn }));
  }
  const mark = side.filter(({ path }) => path === `${fname}.restored`);
  if (mark.length > 0) faults.push({ ...restoredMark(mark, rows), details: linesOf(facts.restoredNote) });
  return unless(faults, () => ok('none'));
};

const named = ({ path, size }: SideFile) => `${path} (${size} bytes)`;

const linesOf = (note: Facts['restoredNote'] = '') =>
  (note instanceof Error ? note.message : note).trim().split('\n');

/** Whether something was lost shows in what is attached: only then is it safe that services force again. */
function restoredMark(mark: SideFile[], rows: Facts['rows']): Finding {
  const message = `${mark[0]?.path}: the cache was restored from a copy that may be old, and the services are careful`;
  const lost = rows?.filter(({ verdict }) => verdict === 'attached, but no request');
  if (lost?.length === 0) {
    return fault(
      message,
      'Everything that is attached has a request, so nothing is lost; --fix removes the mark',
      { kind: 'remove', files: mark },
    );
  }
  const names =
    lost === undefined
      ? '"status" shows what is attached'
      : `attached, but without a request: ${listed(lost.map(({ volume }) => volume))}`;
  return fault(
    message,
    `Add the requests that were lost, or detach what nobody needs (${names}); then remove the mark`,
  );
}

const volumes: Check = ({ rows, fname }) => {
  if (rows === undefined) return skipped('the cache or the API is not usable');
  const stale = rows.filter(({ verdict }) => verdict.startsWith('stale'));
  const requests = stale.flatMap((row) => row.requests);
  if (requests.length === 0) return [ok('the cluster has every volume that is asked for')];
  const message = `${plural(requests.length, 'request')} in ${fname} for what the cluster does not have: ${listed(requests)}`;
  return [fault(message, 'The next sync() removes them; so does --fix', { kind: 'drop', requests })];
};

const devices: Check = ({ rows, deviceDir }) => {
  if (rows === undefined) return skipped('the cache or the API is not usable');
  const without = rows.filter(({ verdict }) => verdict === 'no device').map(({ volume }) => volume);
  if (without.length === 0) return [ok(`${deviceDir} has a device for every request that is attached`)];
  const message = `${plural(without.length, 'attached volume')} without a device in ${deviceDir}: ${listed(without)}`;
  return [fault(message, 'Is storpool_block running on this host, and udev?')];
};

const AHEAD = 5000;

const clock: Check = ({ now, side, file, directory }) => {
  const known = [directory, file, ...side].filter((one) => one !== undefined && 'mtimeMs' in one);
  const ahead = known.filter(({ mtimeMs }) => mtimeMs > now + AHEAD);
  if (ahead.length === 0) return [ok(new Date(now).toISOString())];
  const seconds = Math.round((Math.max(...ahead.map(({ mtimeMs }) => mtimeMs)) - now) / 1000);
  const message = `${ahead.map(({ path }) => path).join(', ')}: changed ${seconds} s in the future`;
  return [fault(message, 'Was the clock of this host set back? Let NTP or chrony keep it')];
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
