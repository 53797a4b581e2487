import { readdirSync, readFileSync, realpathSync, statSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ApiConnectionError, ApiError, type AttachDB, type Attachment, SPConfigError } from '../index.js';
import { type Finding, fault, ok, skipped } from './finding.js';
import { asError, attempt, codeOf, Host, problemOf } from './host.js';
import type { Outcome } from './outcome.js';
import { examinePlace, giveToGroup } from './place.js';
import { harmless, isAgreed, line, paint, plural, shellWord, type Terminal } from './terminal.js';
import type { Options } from './usage.js';
import { LOG_REMEDY, volumeFindings } from './volumes.js';

type Found = Finding & { check: string };

export async function doctor(options: Options, terminal: Terminal): Promise<Outcome> {
  // Without the lock of the kernel, services do not see the locks of Python services.
  const host = new Host(options, terminal, 'required');
  const file = host.db.fname;
  let found = await examine(host);
  terminal.write(render(found, file, terminal));
  const fixes = options.fix ? found.flatMap(({ fix }) => fix ?? []) : [];
  const fixed: string[] = [];
  const todo = fixes.map(({ what }) => `  ${line(terminal, what, 4)}`).join('');
  if (fixes.length > 0) terminal.write(`\nTo do:\n${todo}`);
  if (fixes.length > 0 && (await isAgreed(options, terminal))) {
    // One after the other, so that Ctrl-C leaves each of them done or not begun.
    for (const { what, apply } of fixes) {
      host.signal.throwIfAborted();
      await apply();
      fixed.push(what);
    }
    found = await examine(host);
    terminal.write(`Done. The host now:\n\n${render(found, file, terminal)}`);
  }
  const isWell = found.every(({ state }) => state !== 'fault');
  const checks = found.map((one) => ({ ...one, fix: one.fix?.what ?? null }));
  return { code: isWell ? 0 : 1, report: { ok: isWell, file, checks, fixed } };
}

/** What an earlier check finds may be the reason for what a later one cannot look at. */
async function examine(host: Host): Promise<Found[]> {
  const { db, signal } = host;
  const { fname } = db;
  const found: Found[] = [];
  const add = (check: string, ...findings: Finding[]) => {
    signal.throwIfAborted();
    found.push(...findings.map((one) => ({ check, ...one })));
  };
  const skip = (why: string, ...checks: string[]) => {
    for (const check of checks) add(check, skipped(why));
    return found;
  };
  add('configuration', ...configuration(db));
  const start = performance.now();
  const ask = async () => db.api().attachmentsList({ signal });
  const attachments = await ask().catch(asError);
  add('API', apiFinding(db, attachments, Math.round(performance.now() - start)));

  const directory = examinePlace(dirname(fname), false);
  add('directory', ...directory.findings);
  if (!directory.isUsable) return skip('the directory is not usable', 'file', ...OF_FILE);
  const file = examinePlace(fname, true);
  add('file', ...file.findings);
  if (!file.isUsable) return skip('the file is not usable', ...OF_FILE);
  const side = sideFiles(fname);
  add('leftovers', leftovers(host, side));
  add('clock', clock([fname, ...side]));
  const free = await lock(host);
  add('lock', free);
  if (free.state === 'fault') return skip('the lock cannot be taken', 'cache', 'volumes');
  const entries = await db.get({ signal }).catch(asError);
  add('cache', ...cacheFindings(host, entries));
  if (entries instanceof Error) return skip('the cache is not usable', 'volumes');
  add('volumes', ...(await volumeFindings(host, attachments)));
  return found;
}

const OF_FILE = ['leftovers', 'clock', 'lock', 'cache', 'volumes'];
const BYTE_ORDER_MARK = Buffer.from('\ufeff');
const SHOWN = /^SP_(OURID|AUTH_TOKEN|API_HTTP_HOST|API_HTTP_PORT|OPENSTACK_VOLUME_PREFIX)$/u;

function configuration(db: AttachDB): Finding[] {
  const config = attempt(() => db.config());
  if (config instanceof Error) {
    const { file = '', cause, message } = config as SPConfigError;
    const command = `${giveToGroup(file)}; chmod g+r ${shellWord(file)}`;
    const isDenied = codeOf(cause) === 'EACCES';
    return [fault(message, 'Correct it, or name another with --config', isDenied ? command : null)];
  }
  const shown = Object.entries(config.toJSON()).filter(([key]) => SHOWN.test(key));
  const details = shown.map(([key, value]) => `${key}=${value} (${config.origin(key)})`);
  const remedy = 'Look at the files and at their section for this host; --section NAME tries another';
  const findings = [attempt(() => db.clientId()), attempt(() => db.api())].flatMap((one) =>
    one instanceof Error ? fault(one.message, remedy, null, { details }) : [],
  );
  const file = config.origin('SP_AUTH_TOKEN') ?? '';
  if ((statOf(file)?.mode ?? 0) & 0o004) {
    const command = `${giveToGroup(file)}; chmod g+r,o= ${shellWord(file)}`;
    findings.push(fault(`${file} holds SP_AUTH_TOKEN, and everybody may read it`, null, command));
  }
  for (const path of new Set(Object.keys(config.toJSON()).flatMap((key) => config.origin(key) ?? []))) {
    if (!statOf(path)?.isFile() || !readFileSync(path).subarray(0, 3).equals(BYTE_ORDER_MARK)) continue;
    const why = 'Python services read it as part of the first name';
    findings.push(
      fault(
        `${path} begins with a byte order mark`,
        why,
        `sed -i '1s/^\\xEF\\xBB\\xBF//' ${shellWord(path)}`,
      ),
    );
  }
  return findings.length > 0 ? findings : [ok('the client ID and the token are set', details)];
}

function apiFinding(db: AttachDB, answer: Attachment[] | Error, milliseconds: number): Finding {
  if (answer instanceof SPConfigError) return skipped('the configuration is incomplete');
  const from = (key: string) => `${key} (${db.config().origin(key)})`;
  const address = `${from('SP_API_HTTP_HOST')} and ${from('SP_API_HTTP_PORT')}`;
  if (answer instanceof ApiConnectionError)
    return fault(answer.message, `Is the management service running there? The address is in ${address}`);
  const isRefused = answer instanceof ApiError && /auth/iu.test(answer.code);
  if (answer instanceof Error)
    return fault(answer.message, isRefused ? `Correct ${from('SP_AUTH_TOKEN')}` : LOG_REMEDY);
  const [host, port] = [db.config().get('SP_API_HTTP_HOST'), db.config().get('SP_API_HTTP_PORT')];
  return ok(`${host}:${port} answers in ${milliseconds} ms, and takes the token`);
}

async function lock(host: Host): Promise<Finding> {
  const problem = await host.locked(() => undefined).catch(asError);
  if (problem === undefined) return ok('taken and given back');
  const hangs = 'Look at that process: even if it is stopped or hangs, it keeps the lock';
  return fault(problem.message, codeOf(problem) === 'ELOCKED' ? hangs : null);
}

/** @param entries - what the cache holds, or why it cannot be read */
function cacheFindings(host: Host, entries: Record<string, unknown> | Error): Finding[] {
  const { fname } = host.db;
  if (entries instanceof Error)
    return [fault(entries.message, null, codeOf(entries) === 'ECORRUPT' ? host.command('repair') : null)];
  const findings = Object.entries(entries).flatMap(([id, entry]) => {
    const own = JSON.stringify((entry as { id?: unknown } | null)?.id);
    const bad =
      own !== JSON.stringify(id) && `Request ${id} in ${fname} has ${own ? `the id ${own}` : 'no id'}`;
    const problem = problemOf(id, entry, `in ${fname}`) ?? bad;
    const remedy = `Correct it with the services stopped (Python services need "id": "${id}"), or drop it`;
    return problem ? fault(problem, remedy, host.command('forget', id)) : [];
  });
  return findings.length > 0 ? findings : [ok(plural(Object.keys(entries).length, 'request'))];
}

/** The paths of what lies beside a file and has its name with something behind it. */
function sideFiles(fname: string): string[] {
  const path = realpathSync(fname);
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`));
  return names.sort().map((name) => join(dirname(path), name));
}

// What is there now and then, a lock for example, may be given back while we look.
const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

function clock(paths: string[]): Finding {
  const ahead = paths.filter((path) => (statOf(path)?.mtimeMs ?? 0) > Date.now() + 5000);
  if (ahead.length === 0) return ok(new Date().toISOString());
  const remedy = 'Was the clock of this host set back? Let NTP or chrony keep it';
  return fault(`changed in the future: ${ahead.join(', ')}`, remedy);
}

/** What earlier versions made beside the cache. */
const EARLIER = /\.(restored|holder|torn\.\d+|backup\.new)$/u;

function leftovers(host: Host, side: string[]): Finding {
  const details = side.filter((path) => path.endsWith('.torn')).map((path) => `${path}: kept by a repair`);
  const isEarlier = (path: string) => EARLIER.test(path) && statOf(path)?.isFile();
  const earlier = side.filter(isEarlier);
  if (earlier.length === 0) return ok('none of earlier versions', details);
  const remedy =
    'In .torn.N may be requests that the cache lacks; nothing else is of use. --fix removes them all';
  const remove = () => earlier.filter(isEarlier).forEach(unlinkSync);
  const fix = { what: `remove ${earlier.join(', ')}`, apply: () => host.locked(remove) };
  return fault(`Left by an earlier version: ${earlier.join(', ')}`, remedy, null, { details, fix });
}

const LOOKS = { ok: ['ok', 'green'], fault: ['FAULT', 'red'], skipped: ['-', 'dim'] } as const;
const WIDTH = 'configuration'.length;

/** A line for each finding, with its remedy below it. */
function render(found: readonly Found[], file: string, terminal: Terminal): string {
  const indent = WIDTH + 9;
  const blanks = ' '.repeat(indent);
  const lines = found.map(({ check, state, message, details, remedy, command }, at) => {
    const name = (found[at - 1]?.check === check ? '' : check).padEnd(WIDTH);
    const [word, colour] = LOOKS[state];
    return [
      `${paint(terminal, 'bold', name)}  ${paint(terminal, colour, word.padEnd(7))}${line(terminal, message, indent)}`,
      ...details.map((words) => blanks + line(terminal, words, indent, 'dim')),
      remedy === null ? '' : blanks + line(terminal, `→ ${remedy}`, indent, 'yellow'),
      // In one line, however long it is: so it can be copied.
      command === null ? '' : `${paint(terminal, 'yellow', `${blanks}$ ${harmless(command)}`)}\n`,
    ].join('');
  });
  const faults = found.filter(({ state }) => state === 'fault').length;
  const isFixable = found.some(({ fix }) => fix !== null);
  const sum = faults === 0 ? 'no fault found' : plural(faults, 'fault');
  const more = isFixable ? '; "storpool-attachdb doctor --fix" mends what it safely can' : '';
  return `${lines.join('')}\n${line(terminal, `${file}: ${sum}${more}`, 0)}`;
}
