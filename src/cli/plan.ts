import { existsSync } from 'node:fs';
import type { AttachDB, SyncPlan } from '../index.js';
import { makeApi, openCache, readSettings } from './host.js';
import { asJson, harmless, type Terminal, wrap } from './terminal.js';
import { type Options, UsageError } from './usage.js';

/** What `plan --json` prints: what the library's `plan()` gives, and for whom; `null`: for all requests. */
export type PlanReport = SyncPlan & { file: string; request: string | null };

export async function plan(options: Options, terminal: Terminal): Promise<number> {
  const { request, detach, json } = options;
  if (detach !== undefined && request === undefined) {
    throw new UsageError('--detach needs the request that no longer needs the volume');
  }
  const { signal } = terminal;
  const { config } = readSettings(options);
  const db = openCache(options, terminal, config, makeApi(config));
  const planned =
    request === undefined ? await planAll(db, signal) : await db.plan(request, detach, { signal });
  const report: PlanReport = { file: db.fname, request: request ?? null, ...planned };
  const lines = inWords(report, detach).map((line) => `${wrap(harmless(line), terminal.columns, 2)}\n`);
  terminal.write(json ? asJson(report) : lines.join(''));
  return 0;
}

/** Each sync() attaches for all requests, whichever it is called for. */
async function planAll(db: AttachDB, signal: AbortSignal): Promise<SyncPlan> {
  const mark = `${db.fname}.restored`;
  if (existsSync(mark)) {
    throw new Error(
      `while ${mark} is there, each sync() attaches for its own request alone: name the request`,
    );
  }
  const [first] = Object.keys(await db.get({ signal }));
  if (first !== undefined) return db.plan(first, null, { signal });
  return { attach: [], alreadyAttached: [], staleRequests: [], detach: null, unknownRequest: false };
}

/** The plan as sentences. */
export function inWords(report: PlanReport, asked?: string): string[] {
  const { file, request, attach, alreadyAttached, staleRequests, detach, unknownRequest } = report;
  if (unknownRequest) return [`Request ${request} is not in ${file}: ${asked} would be left as it is.`];
  const lines = attach.map(
    ({ volume, snapshot, rights, requests }) =>
      `Attach the ${snapshot ? 'snapshot' : 'volume'} ${volume} ${rights === 2 ? 'read/write' : 'read-only'}, for ${requests.join(', ')}.`,
  );
  for (const id of staleRequests) {
    lines.push(`Remove request ${id} from ${file}: the cluster does not have its volume.`);
  }
  if (detach !== null) {
    const { volume, neededBy } = detach;
    lines.push(
      neededBy.length === 0
        ? `Detach ${volume}; by force, if it stays open.`
        : `Detach ${volume} unless it is open; ${neededBy.join(', ')} still need it.`,
    );
  } else if (asked !== undefined) lines.push(`Leave ${asked} alone: it is not attached to this host.`);
  if (lines.length === 0) lines.push('Nothing to do.');
  const count = alreadyAttached.length;
  return count === 0 ? lines : [...lines, `${count} attached already, with the rights that are wanted.`];
}
