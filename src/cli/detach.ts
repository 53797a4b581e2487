import { isDeepStrictEqual } from 'node:util';
import { attempt, forOperators, makeApi, openCache, problemOf, readSettings } from './host.js';
import type { AttachDB, VolumeStatus } from './library.js';
import { sinceOf } from './status.js';
import { asJson, duration, harmless, isAgreed, type Terminal, wrap } from './terminal.js';
import { checkUnattended, type Options, UsageError } from './usage.js';
import { type Users, usersOf } from './users.js';

/** One of the requests that are to go. `detach --json` and `forget --json` print an object of these. */
export interface Going {
  request: string;
  /** Whether it is in the cache. */
  known: boolean;
  volume: string | null;
  since: string | null;
  /** The requests that need the volume and stay. */
  neededBy: string[];
  /** What this host has of the volume; `null`: nothing, or not known. */
  has: 'rw' | 'ro' | null;
  /** Who has its device open; `null` without a device. */
  users: Users | null;
  /** Why it cannot be detached. */
  problem: string | null;
  /** What has become of it: what `db.detach()` says, `forgotten`, `changed` or `failed`. */
  outcome: string | null;
}

export async function detach(options: Options, terminal: Terminal): Promise<number> {
  const { force = 'never' } = options;
  if (force !== 'never' && force !== 'unshared') throw new UsageError('--force takes never or unshared');
  return letGo(options, terminal, {
    say: sayDetach,
    async apply(db, { request, problem }) {
      if (problem !== null) throw new Error(problem);
      return (await db.detach(request, { force, signal: terminal.signal })).outcome;
    },
  });
}

export const forget = (options: Options, terminal: Terminal) =>
  letGo(options, terminal, {
    say: sayForget,
    async apply(db, { request }) {
      await db.remove(request, { signal: terminal.signal });
      return 'forgotten';
    },
  });

interface Way {
  /** What would be done. */
  say(going: Going): string;
  /** @returns what has become of the request */
  apply(db: AttachDB, going: Going): Promise<string>;
}

async function letGo(options: Options, terminal: Terminal, way: Way): Promise<number> {
  checkUnattended(options);
  const { signal } = terminal;
  const { json } = options;
  const { config } = readSettings(options);
  const { db } = openCache('change', options, terminal, config, makeApi(options, config));
  const print = (line: string) => json || terminal.write(`${wrap(harmless(line), terminal.columns, 2)}\n`);
  const ids = [...new Set(options.args)];
  const entries = await db.get({ signal });
  const { volumes, problems } = await db.status({ signal });
  const all = ids.map((id) => goingOf(id, ids, entries, volumes));
  for (const going of all)
    print(
      `${going.request}: ${going.known ? way.say(going) : `not in ${db.fname}, so there is nothing to do.`}`,
    );
  for (const problem of problems) print(forOperators(problem));

  const known = all.filter((going) => going.known);
  if (known.length > 0 && !options['dry-run'] && (await isAgreed(options, terminal))) {
    for (const going of known) {
      signal.throwIfAborted();
      const done = await attempt(async () => {
        // Somebody may have attached again under the same ID while nobody answered.
        const now = (await db.get({ signal }))[going.request];
        if (now === undefined) return 'unknownRequest';
        return isDeepStrictEqual(now, entries[going.request]) ? way.apply(db, going) : 'changed';
      });
      signal.throwIfAborted();
      going.outcome = done instanceof Error ? 'failed' : done;
      if (done instanceof Error) going.problem = forOperators(done.message);
      print(
        `${going.request}: ${OUTCOMES[going.outcome] ?? going.outcome}${going.problem ? `: ${going.problem}` : ''}`,
      );
    }
  }
  if (json) terminal.write(asJson({ file: db.fname, requests: all }));
  if (options['dry-run']) return 0;
  if (all.some(({ outcome }) => outcome === 'failed')) return 3;
  return all.every(({ outcome }) => outcome !== null && !['changed', 'renewed'].includes(outcome)) ? 0 : 1;
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
  failed: 'still there',
};

function goingOf(
  request: string,
  ids: readonly string[],
  entries: Readonly<Record<string, unknown>>,
  volumes: readonly VolumeStatus[],
): Going {
  const known = Object.hasOwn(entries, request);
  const row = volumes.find(({ requests }) => requests.includes(request));
  const later = ids.slice(ids.indexOf(request) + 1);
  const device = row?.device ?? null;
  return {
    request,
    known,
    volume: row?.volume || null,
    since: sinceOf(entries[request]),
    // One that goes later is still there when it is this one's turn.
    neededBy: (row?.requests ?? []).filter(
      (id) => id !== request && (later.includes(id) || !ids.includes(id)),
    ),
    has: row?.has ?? null,
    users: device === null ? null : usersOf(device),
    problem: known ? problemOf(request, entries[request], 'in the cache') : null,
    outcome: null,
  };
}

function sayDetach(going: Going): string {
  const { neededBy, has, problem } = going;
  if (problem !== null) return `cannot be detached. ${problem}; "storpool-attachdb forget" drops it.`;
  if (neededBy.length > 0)
    return `drop it; ${volumeOf(going)} stays attached, because ${neededBy.join(', ')} needs it.`;
  return `detach ${volumeOf(going)}${has === null ? ', if it is attached' : ''}. ${useOf(going)}`;
}

function sayForget(going: Going): string {
  const { neededBy, volume } = going;
  if (volume === null) return 'drop it; it names no volume.';
  const others =
    neededBy.length > 0
      ? `${neededBy.join(', ')} needs it, too.`
      : 'No other request needs it, so this library will never detach it.';
  return `drop it, and leave ${volumeOf(going)} as it is. ${others}`;
}

function volumeOf({ volume, since, has }: Going): string {
  const age = since === null ? '' : `, wanted for ${duration(Date.now() - Date.parse(since))}`;
  return `${volume} (${has === null ? 'not seen attached' : `attached ${has}`}${age})`;
}

function useOf({ users }: Going): string {
  if (users === null) return 'Its device is not there.';
  if (users.open === true) return `Its device is open: ${users.by.join(', ')}.`;
  return users.open === false
    ? 'Its device is not open on this host.'
    : 'Nobody is seen to have its device open, but this user may not look at every process: try root.';
}
