import type { SyncPlan } from '../index.js';
import { asError, Host } from './host.js';
import type { Outcome } from './outcome.js';
import { readStatus, render } from './status.js';
import { line, type Terminal } from './terminal.js';
import type { Options } from './usage.js';

/** What `plan --json` prints: what the library's `plan()` gives, and for whom; `null`: for all requests. */
export type PlanReport = SyncPlan & { file: string; request: string | null };

const NOTHING = { attach: [], alreadyAttached: [], staleRequests: [], detach: null, unknownRequest: false };

export async function plan(options: Options, terminal: Terminal): Promise<Outcome> {
  const [request] = options.args;
  const host = new Host(options, terminal);
  const { db, signal } = host;
  const entries = await db.get({ signal });
  // Each sync() attaches for all requests, whichever it is called for.
  const id = request ?? Object.keys(entries)[0];
  const planned = id === undefined ? NOTHING : await db.plan(id, options.detach, { signal }).catch(asError);
  if (planned instanceof Error) {
    const { report } = await readStatus(host);
    if (report.unanswered === null) throw planned;
    terminal.write(render(report, {}, terminal));
    return { code: 3, report };
  }
  const report: PlanReport = { file: db.fname, request: request ?? null, ...planned };
  for (const words of inWords(report, options.detach, entries[request ?? '']?.volume))
    terminal.write(line(terminal, words));
  return { code: 0, report };
}

/**
 * The plan as sentences.
 *
 * @param asked - the volume to detach
 * @param own - the volume of the request
 */
export function inWords(report: PlanReport, asked?: string, own?: string): string[] {
  const { file, request, attach, alreadyAttached, staleRequests, detach, unknownRequest } = report;
  if (unknownRequest) return [`Request ${request} is not in ${file}: ${asked} would be left as it is.`];
  const lines = attach.map(({ volume, snapshot, rights, requests }) => {
    const [kind, how] = [snapshot ? 'snapshot' : 'volume', rights === 2 ? 'read/write' : 'read-only'];
    return `Attach the ${kind} ${volume} ${how}, for ${requests.join(', ')}.`;
  });
  for (const id of staleRequests)
    lines.push(`Remove request ${id} from ${file}: the cluster does not have its volume.`);
  if (asked !== undefined && own !== undefined && asked !== own)
    lines.push(`Request ${request} is not for ${asked}, but for ${own}. Is it the right one?`);
  if (detach !== null && detach.neededBy.length > 0)
    lines.push(`Detach ${detach.volume} unless it is open; still needed by ${detach.neededBy.join(', ')}.`);
  else if (detach !== null) lines.push(`Detach ${detach.volume}; by force, if it stays open.`);
  else if (asked !== undefined) lines.push(`Leave ${asked} alone: it is not attached to this host.`);
  if (lines.length === 0) lines.push('Nothing to do.');
  if (alreadyAttached.length > 0) lines.push(`${alreadyAttached.length} attached already, as wanted.`);
  return lines;
}
