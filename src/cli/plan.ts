import type { AttachDB, SyncPlan } from '../index.js';
import { attempt, look, makeApi, openCache, readSettings } from './host.js';
import { render, statusOf } from './status.js';
import { asJson, harmless, type Terminal, wrap } from './terminal.js';
import { type Options, UsageError } from './usage.js';

/** What `plan --json` prints: what the library's `plan()` gives, and for whom; `null`: for all requests. */
export type PlanReport = SyncPlan & { file: string; request: string | null };

export async function plan(options: Options, terminal: Terminal): Promise<number> {
  const { detach, json } = options;
  const [request] = options.args;
  if (detach !== undefined && request === undefined) {
    throw new UsageError('--detach needs the request that no longer needs the volume');
  }
  const { signal } = terminal;
  const { config } = readSettings(options);
  const cache = openCache('look', options, terminal, config, makeApi(options, config));
  const read = async (db: AttachDB) => {
    const entries = await db.get({ signal });
    // Each sync() attaches for all requests, whichever it is called for.
    const id = request ?? Object.keys(entries)[0];
    return { entries, planned: id === undefined ? EMPTY : await db.plan(id, detach, { signal }) };
  };
  const looked = await attempt(() => look(cache, read));
  if (looked instanceof Error) {
    signal.throwIfAborted();
    const found = await statusOf(cache, signal);
    if (found.unanswered === null) throw looked;
    terminal.write(json ? asJson(found) : render(found, {}, terminal));
    return 3;
  }
  const { seen, unlocked } = looked;
  const report: PlanReport = { file: cache.db.fname, request: request ?? null, ...seen.planned };
  const lines = inWords(report, detach, seen.entries[request ?? '']?.volume);
  if (unlocked !== null) lines.push(`The lock was not taken, so this may be half of a change. ${unlocked}`);
  const print = (line: string) => terminal.write(`${wrap(harmless(line), terminal.columns, 2)}\n`);
  if (json) terminal.write(asJson(report));
  else lines.forEach(print);
  return 0;
}

const EMPTY: SyncPlan = {
  attach: [],
  alreadyAttached: [],
  staleRequests: [],
  detach: null,
  unknownRequest: false,
};

/**
 * The plan as sentences.
 *
 * @param asked - the volume to detach
 * @param own - the volume of the request
 */
export function inWords(report: PlanReport, asked?: string, own?: string): string[] {
  const { file, request, attach, alreadyAttached, staleRequests, detach, unknownRequest } = report;
  if (unknownRequest) return [`Request ${request} is not in ${file}: ${asked} would be left as it is.`];
  const lines = attach.map(
    ({ volume, snapshot, rights, requests }) =>
      `Attach the ${snapshot ? 'snapshot' : 'volume'} ${volume} ${rights === 2 ? 'read/write' : 'read-only'}, for ${requests.join(', ')}.`,
  );
  for (const id of staleRequests) {
    lines.push(`Remove request ${id} from ${file}: the cluster does not have its volume.`);
  }
  if (asked !== undefined && own !== undefined && asked !== own) {
    lines.push(`Request ${request} is not for ${asked}, but for ${own}. Is it the right one?`);
  }
  if (detach !== null) {
    const { volume, neededBy } = detach;
    lines.push(
      neededBy.length === 0
        ? `Detach ${volume}; by force, if it stays open.`
        : `Detach ${volume} unless it is open; ${neededBy.join(', ')} still ${neededBy.length === 1 ? 'needs' : 'need'} it.`,
    );
  } else if (asked !== undefined) lines.push(`Leave ${asked} alone: it is not attached to this host.`);
  if (lines.length === 0) lines.push('Nothing to do.');
  const count = alreadyAttached.length;
  return count === 0 ? lines : [...lines, `${count} attached already, with the rights that are wanted.`];
}
