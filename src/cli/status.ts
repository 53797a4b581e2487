import { setTimeout } from 'node:timers/promises';
import { type AttachRequest, VERDICTS, type Verdict, type VolumeStatus } from '../index.js';
import { asError, Host } from './host.js';
import type { Outcome } from './outcome.js';
import { age, line, MOST, paint, plural, type Style, type Terminal, table } from './terminal.js';
import type { Options } from './usage.js';

/** What `status --json` prints; guide/operating.md describes it. */
export type Status = Awaited<ReturnType<typeof readStatus>>['report'];

export async function status(options: Options, terminal: Terminal): Promise<Outcome> {
  const host = new Host(options, terminal);
  const read = async () => (await readStatus(host)).report;
  if (options.watch) return watch(read, options, terminal);
  const report = await read();
  terminal.write(render(report, options, terminal));
  return { code: report.unanswered !== null ? 3 : report.ok ? 0 : 1, report };
}

/**
 * Until Ctrl-C; what fails now may work the next time, and until then the last whole table stays.
 *
 * @param interval - milliseconds between two looks
 */
export async function watch(
  read: () => Promise<Status>,
  options: Options,
  terminal: Terminal,
  interval = 2000,
): Promise<Outcome> {
  const { signal } = terminal;
  const clock = (time: number) => new Date(time).toTimeString().slice(0, 8);
  let shown: { found: Status; at: number } | undefined;
  while (!signal.aborted) {
    const found = await read().catch(asError);
    if (signal.aborted) break;
    const now = Date.now();
    const problem = found instanceof Error ? found.message : found.unanswered;
    // Half a table is better than none.
    const isNew = !(found instanceof Error) && (problem === null || shown?.found.unanswered !== null);
    if (isNew) shown = { found, at: now };
    const words = [`${clock(now)}  Every 2 s; Ctrl-C ends it.`];
    if (!isNew && shown) words.push(`The table is from ${clock(shown.at)}, ${age(shown.at)} ago: ${problem}`);
    else if (!isNew) words.push(`${problem}`);
    const head = line(terminal, words.join('  '), 0, isNew ? 'bold' : 'yellow');
    const room = terminal.rows - head.split('\n').length + 1;
    terminal.write(`\x1b[H\x1b[J${head}${shown ? render(shown.found, options, terminal, room) : ''}`);
    await setTimeout(interval, undefined, { signal }).catch(() => undefined);
  }
  return { code: 0 };
}

/** What an operator should look at. What others have attached is their business. */
const isFinding = ({ verdict, wants }: VolumeStatus) =>
  verdict === VERDICTS.otherPrefix ? wants !== null : !['ok', VERDICTS.unknown].includes(verdict);

/** The status and the entries of the cache. @throws what `db.status()` and `db.get()` throw */
export async function readStatus({ db, signal }: Host) {
  const [clientId, prefix] = [db.clientId(), db.volumePrefix()];
  // First, so that what changes while the API is asked is seen to have changed.
  const entries: Record<string, unknown> = await db.get({ signal });
  const status = await db.status({ signal });
  const volumes = status.volumes
    .map((row) => ({ ...row, finding: isFinding(row) }))
    .sort((a, b) => Number(b.finding) - Number(a.finding));
  const summary: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of volumes) summary[verdict] = (summary[verdict] ?? 0) + 1;
  const requests = volumes.flatMap(({ volume, requests: ids }) =>
    ids.map((request) => ({ request, volume, since: sinceOf(entries[request]) })),
  );
  // The API does not know the name of the file.
  const problems = status.problems.filter((problem) => problem.includes(` in ${db.fname} `));
  const unanswered = status.problems.find((problem) => !problems.includes(problem)) ?? null;
  const ok = unanswered === null && volumes.every(({ finding }) => !finding);
  const found = { clientId, prefix, volumes, requests, summary, unanswered, problems };
  // Whoever does not get it has thrown.
  return { report: { ok, file: db.fname, ...found }, entries };
}

/** When a request was made, if that is known: Python services do not write it down. */
export function sinceOf(entry: unknown): string | null {
  const { since } = (entry ?? {}) as Partial<AttachRequest>;
  return typeof since === 'string' && !Number.isNaN(Date.parse(since)) ? since : null;
}

/** @param height - lines of the terminal that it must fit into */
export function render(
  found: Status,
  { requests: byRequest = false }: Pick<Options, 'requests'>,
  terminal: Pick<Terminal, 'columns' | 'colour'>,
  height = Number.POSITIVE_INFINITY,
): string {
  const { volumes, requests, summary, problems, unanswered } = found;
  const short = (verdict: string) => verdict.replace(/:.*/u, '').replace('?', 'not known');
  const counts = Object.entries(summary).map(([verdict, many]) => `${many} ${short(verdict)}`);
  const sum = [plural(volumes.length, 'volume'), counts.join('; ')].filter(Boolean).join(': ');
  const below = [sum, ...problems.slice(0, MOST), unanswered ?? ''].filter(Boolean);
  const end = below.map((words) => line(terminal, words, 0)).join('');

  const since = new Map(requests.map((one) => [one.request, one.since]));
  const rows = volumes.flatMap((row) => {
    const { volume, wants, has, device, verdict, requests: ids } = row;
    const small = [wants ?? '-', has ?? '-', device !== null ? 'yes' : has === null ? '-' : 'no'];
    if (!byRequest) return [{ row, cells: [volume, ...small, verdict, ids.join(', ')] }];
    // Volumes without a request come, too: they may be findings.
    return (ids.length > 0 ? ids : ['-']).map((id) => {
      const made = since.get(id);
      return { row, cells: [id, made ? age(made) : '-', volume, ...small, verdict] };
    });
  });
  const names = ['VOLUME', 'WANTS', 'HAS', 'DEVICE', 'VERDICT'];
  const heading = byRequest ? ['REQUEST', 'AGE', ...names] : [...names, 'REQUESTS'];
  const verdictAt = heading.indexOf('VERDICT');
  const styleOf = (at: number, column: number): Style | undefined => {
    const row = rows[at - 1]?.row;
    if (row === undefined) return 'bold';
    if (!row.finding && row.verdict !== VERDICTS.ok) return 'dim';
    if (column === verdictAt) return row.finding ? 'red' : 'green';
    return undefined;
  };
  const givingWay = [byRequest ? 2 : heading.length - 1, verdictAt];
  const cells = [heading, ...rows.map((row) => row.cells)];
  const [head = '', ...blocks] = table(terminal, cells, givingWay, styleOf);
  const linesOf = (block: string) => block.split('\n').length;
  let room = height - linesOf(head) - linesOf(end) - 1;
  const fitting = blocks.findIndex((block) => {
    room -= linesOf(block);
    return room < 0;
  });
  const shown = fitting < 0 ? blocks : blocks.slice(0, Math.max(1, fitting));
  const rest = blocks.length - shown.length;
  if (rest > 0) shown.push(paint(terminal, 'dim', `… and ${rest} more`));
  return `${rows.length > 0 ? `${[head, ...shown].join('\n')}\n\n` : ''}${end}`;
}
