import { closeSync, constants, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { asError, attempt, codeOf, Host, problemOf } from './host.js';
import type { Outcome } from './outcome.js';
import { readStatus } from './status.js';
import { age, isAgreed, line, listed, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** One of the requests that are to go; guide/operating.md describes it. */
type Going = ReturnType<typeof goingOf>;

export const detach = (options: Options, terminal: Terminal) =>
  letGo(options, terminal, sayDetach, async ({ db, signal }, going) => {
    const { request, problem } = going;
    if (problem !== null) throw new Error(problem);
    if (isDoubtful(going)) throw new Error(sayDoubt(going));
    const force = options.force === 'unshared' ? 'unshared' : 'never';
    return (await db.detach(request, { force, signal })).outcome;
  });

export const forget = (options: Options, terminal: Terminal) =>
  letGo(options, terminal, sayForget, async ({ db, signal }, { request }) => {
    await db.remove(request, { signal });
    return 'forgotten';
  });

async function letGo(
  options: Options,
  terminal: Terminal,
  say: (going: Going) => string,
  apply: (host: Host, going: Going) => Promise<string>,
): Promise<Outcome> {
  const host = new Host(options, terminal);
  const { db, signal } = host;
  const print = (words: string) => terminal.write(line(terminal, words));
  const seen = await readStatus(host);
  const ids = [...new Set(options.args)];
  const requests = ids.map((id, at) => goingOf(id, ids.slice(0, at), seen));
  const nothing = `not in ${db.fname}, so there is nothing to do.`;
  for (const going of requests) print(`${going.request}: ${going.known ? say(going) : nothing}`);
  if (seen.report.unanswered !== null) print(seen.report.unanswered);

  const known = requests.filter((going) => going.known);
  const isToBeDone = known.length > 0 && (await isAgreed(options, terminal));
  for (const going of isToBeDone ? known : []) {
    const { request } = going;
    try {
      // Somebody may have attached again under the same ID while nobody answered.
      const now = (await db.get({ signal }))[request];
      const isSame = isDeepStrictEqual(now, seen.entries[request]);
      going.outcome = isSame ? await apply(host, going) : now === undefined ? 'unknownRequest' : 'changed';
      print(`${request}: ${OUTCOMES[going.outcome]}`);
    } catch (error) {
      signal.throwIfAborted();
      Object.assign(going, { outcome: 'failed', problem: asError(error).message });
      print(`${request}: still there: ${going.problem}`);
    }
  }
  const isDone = ({ outcome }: Going) => outcome !== null && OUTCOMES[outcome] !== AGAIN;
  const hasFailed = requests.some(({ outcome }) => outcome === 'failed');
  const code = hasFailed ? 3 : options['dry-run'] || requests.every(isDone) ? 0 : 1;
  return { code, report: { file: db.fname, requests } };
}

const AGAIN = 'left as it is, because somebody has attached it again since';
const OUTCOMES: Record<string, string> = {
  detached: 'detached, and dropped',
  forced: 'detached by force, and dropped',
  shared: 'dropped; its volume stays attached',
  notAttached: 'dropped; its volume was not attached',
  unknownRequest: 'somebody else has dropped it',
  forgotten: 'dropped',
  renewed: AGAIN,
  changed: AGAIN,
};

/** @param gone - the requests that go before it */
function goingOf(
  request: string,
  gone: readonly string[],
  { entries, report }: Awaited<ReturnType<typeof readStatus>>,
) {
  const { volumes, requests, unanswered } = report;
  const known = Object.hasOwn(entries, request);
  const row = volumes.find((one) => one.requests.includes(request));
  return {
    request,
    known,
    volume: row?.volume || null,
    since: requests.find((one) => one.request === request)?.since ?? null,
    // Who needs the volume when it is this one's turn.
    neededBy: (row?.requests ?? []).filter((id) => id !== request && !gone.includes(id)),
    attached: row?.has ? true : unanswered === null ? false : null,
    users: row?.device ? usersOf(row.device) : null,
    problem: known ? problemOf(request, entries[request], 'in the cache') : null,
    outcome: null as string | null,
  };
}

/** A device without an attachment: most likely it is attached to another client ID, which is this host's. */
const isDoubtful = ({ attached, users }: Going) => attached === false && users !== null;
const sayDoubt = ({ volume }: Going) =>
  `the device of ${volume} is here, but this client does not have it: is SP_OURID right? Nothing is done`;

function sayDetach(going: Going): string {
  const { volume, since, neededBy, attached, problem, users } = going;
  if (isDoubtful(going)) return `${sayDoubt(going)}.`;
  if (problem !== null) return `cannot be detached. ${problem}; "storpool-attachdb forget" drops it.`;
  const old = since === null ? '' : `, which is ${age(since)} old`;
  if (neededBy.length > 0)
    return `drop it${old}. ${volume} stays attached, because ${listed(neededBy)} needs it.`;
  if (attached === false) return `drop it${old}. ${volume} is not attached to this host.`;
  let open = 'Its device is not there.';
  if (users?.open === null) open = 'Whether its device is open cannot be told from here.';
  else if (users)
    open = `Its device is ${users.open ? `open: ${listed(users.by)}` : 'not open on this host'}.`;
  return `detach ${volume}${attached ? '' : ', if it is attached'}, and drop it${old}. ${open}`;
}

function sayForget({ volume, neededBy, attached }: Going): string {
  if (volume === null) return 'drop it; it names no volume.';
  if (neededBy.length > 0) return `drop it; ${listed(neededBy)} needs ${volume}, too.`;
  if (attached === false) return `drop it; ${volume} is not attached to this host.`;
  return `drop it; ${volume} stays ${attached ? 'attached' : 'as it is'}, and this library will never detach it.`;
}

/** Who has a device open on this host, as far as this user can tell. `open: null`: not everything can be looked at. */
function usersOf(device: string): { open: boolean | null; by: string[] } {
  const stats = statSync(device);
  const isBlock = stats.isBlockDevice();
  const by: string[] = [];
  // Everybody has /dev/null open, which stands for the devices of a fake.
  if (stats.isCharacterDevice()) return { open: null, by };
  const hasOpen = (pid: string) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const other = statSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false });
      if (isBlock) return other?.isBlockDevice() && other.rdev === stats.rdev;
      return other?.ino === stats.ino && other.dev === stats.dev;
    });
  let isHidden = false;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/u.test(name))) {
    const found = attempt(() => hasOpen(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim());
    if (typeof found === 'string') by.push(`process ${pid} (${found})`);
    // Otherwise it has ended while we looked.
    isHidden ||= ['EACCES', 'EPERM'].includes(codeOf(found) ?? '');
  }
  // Mounts, LVM and the like have a device for themselves; opening it so fails while they do.
  const flags = constants.O_RDONLY | constants.O_EXCL | constants.O_NONBLOCK;
  if (by.length === 0 && isBlock && codeOf(attempt(() => closeSync(openSync(device, flags)))) === 'EBUSY')
    by.push('the kernel: it is mounted, or part of another device');
  return { open: by.length > 0 || (isHidden ? null : false), by };
}
