import { isDeepStrictEqual } from 'node:util';
import type { AttachDB, VolumeStatus } from '../index.js';
import { attempt, forOperators, makeApi, openCache, problemOf, readSettings } from './host.js';
import { apiProblem, sinceOf } from './status.js';
import { asJson, duration, harmless, isAgreed, listed, type Terminal, wrap } from './terminal.js';
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
  /** Whether this host has the volume; `null`: not known. */
  attached: boolean | null;
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
  const status = await db.status({ signal });
  const unanswered = apiProblem(status.problems, entries, db);
  const all = ids.map((id) => goingOf(id, ids, entries, status.volumes, unanswered === undefined));
  for (const going of all)
    print(
      `${going.request}: ${going.known ? way.say(going) : `not in ${db.fname}, so there is nothing to do.`}`,
    );
  if (unanswered !== undefined) print(forOperators(unanswered));

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
        `${going.request}: ${OUTCOMES[going.outcome] ?? going.outcome}${going.outcome === 'failed' ? `: ${going.problem}` : ''}`,
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
  isAnswered: boolean,
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
    attached: (row?.has ?? null) !== null || (isAnswered ? false : null),
    users: device === null ? null : usersOf(device),
    problem: known ? problemOf(request, entries[request], 'in the cache') : null,
    outcome: null,
  };
}

function sayDetach({ volume, since, neededBy, attached, problem, users }: Going): string {
  if (problem !== null) return `cannot be detached. ${problem}; "storpool-attachdb forget" drops it.`;
  const age = since === null ? '' : `, which is ${duration(Date.now() - Date.parse(since))} old`;
  if (neededBy.length > 0)
    return `drop it${age}. ${volume} stays attached, because ${listed(neededBy)} needs it.`;
  if (attached === false) return `drop it${age}. ${volume} is not attached to this host.`;
  const open =
    users === null
      ? 'Its device is not there.'
      : users.open === null
        ? 'Whether its device is open cannot be told from here.'
        : `Its device is ${users.open ? `open: ${listed(users.by)}` : 'not open on this host'}.`;
  return `detach ${volume}${attached ? '' : ', if it is attached'}, and drop it${age}. ${open}`;
}

function sayForget({ volume, neededBy, attached }: Going): string {
  if (volume === null) return 'drop it; it names no volume.';
  if (neededBy.length > 0) return `drop it; ${listed(neededBy)} needs ${volume}, too.`;
  if (attached === false) return `drop it; ${volume} is not attached to this host.`;
  return `drop it; ${volume} stays ${attached ? 'attached' : 'as it is'}, and this library will never detach it.`;
}
