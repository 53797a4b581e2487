import { setTimeout } from 'node:timers/promises';
import { type AttachDB, type AttachRequest, VERDICTS, type Verdict, type VolumeStatus } from '../index.js';
import {
  attempt,
  type Cache,
  forOperators,
  look,
  makeApi,
  openCache,
  problemOf,
  readSettings,
} from './host.js';
import {
  asJson,
  duration,
  harmless,
  layOut,
  MOST,
  painter,
  plural,
  type Style,
  type Terminal,
  wrap,
} from './terminal.js';
import { type Options, UsageError } from './usage.js';

/** What `status --json` prints; guide/operating.md describes it. */
export type Status = Awaited<ReturnType<typeof statusOf>>;

export async function status(options: Options, terminal: Terminal): Promise<number> {
  if (options.json && options.watch) throw new UsageError('--json and --watch cannot be used together');
  const { config } = readSettings(options);
  const cache = openCache('look', options, terminal, config, makeApi(options, config));
  const read = () => statusOf(cache, terminal.signal);
  if (options.watch) return watch(read, options, terminal);
  const found = await read();
  terminal.write(options.json ? asJson(found) : render(found, options, terminal));
  if (found.unanswered !== null) return 3;
  return found.ok ? 0 : 1;
}

const INTERVAL = 2000;

/**
 * Until Ctrl-C; what fails now may work the next time, and until then the last whole table stays.
 *
 * @param interval - milliseconds between two looks
 */
export async function watch(
  read: () => Promise<Status>,
  options: Options,
  terminal: Terminal,
  interval = INTERVAL,
): Promise<number> {
  const { signal } = terminal;
  const clock = (time: number) => new Date(time).toTimeString().slice(0, 8);
  const print = (style: Style, head: string, picture: (room: number) => string) => {
    const lines = wrap(harmless(head), terminal.columns);
    const room = terminal.rows - lines.split('\n').length;
    terminal.write(`\x1b[H\x1b[J${painter(terminal)(style, lines)}\n${picture(room)}`);
  };
  let last: { found: Status; at: number } | undefined;
  while (!signal.aborted) {
    const found = await attempt(read);
    if (signal.aborted) break;
    const now = Date.now();
    const head = `${clock(now)}  Every 2 s; Ctrl-C ends it.`;
    const problem = found instanceof Error ? forOperators(found.message) : found.unanswered;
    if (problem === null && !(found instanceof Error)) last = { found, at: now };
    if (problem !== null && last !== undefined) {
      const { at, found: old } = last;
      const age = `The table is from ${clock(at)}, ${duration(now - at)} ago: ${problem}`;
      print('yellow', `${head}  ${age}`, (room) => render(old, options, terminal, room));
    } else if (found instanceof Error) print('bold', `${head}  ${problem}`, () => '');
    else print('bold', head, (room) => render(found, options, terminal, room));
    await setTimeout(interval, undefined, { signal }).catch(() => undefined);
  }
  return 0;
}

/** What an operator should look at. What others have attached is their business. */
export const isFinding = ({ verdict, wants }: VolumeStatus) =>
  verdict !== VERDICTS.ok &&
  verdict !== VERDICTS.unknown &&
  !(verdict === VERDICTS.otherPrefix && wants === null);

/** What the API did not tell, or why: what is no problem of an entry. */
export const apiProblem = (
  problems: readonly string[],
  entries: Readonly<Record<string, unknown>>,
  { fname }: AttachDB,
): string | undefined => {
  const known = new Set(Object.entries(entries).map(([id, entry]) => problemOf(id, entry, `in ${fname}`)));
  return problems.find((problem) => !known.has(problem));
};

/** @throws what `db.status()` and `db.get()` throw */
export async function statusOf(cache: Cache, signal: AbortSignal) {
  const { db } = cache;
  const read = async (from: typeof db) => {
    const host = await from.status({ signal });
    return { host, entries: await from.get({ signal }) };
  };
  const { seen, unlocked } = await look(cache, read);
  const { client, prefix, problems } = seen.host;
  const volumes = seen.host.volumes
    .map((row) => ({ ...row, finding: isFinding(row) }))
    .sort((a, b) => Number(b.finding) - Number(a.finding));
  const summary: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of volumes) summary[verdict] = (summary[verdict] ?? 0) + 1;
  const unanswered = apiProblem(problems, seen.entries, db) ?? null;
  return {
    ok: unanswered === null && volumes.every(({ finding }) => !finding),
    file: db.fname,
    clientId: client,
    prefix,
    lock: { free: unlocked === null, problem: unlocked },
    volumes,
    requests: volumes.flatMap(({ volume, requests }) =>
      requests.map((request) => ({ request, volume, since: sinceOf(seen.entries[request]) })),
    ),
    summary,
    unanswered: unanswered && forOperators(unanswered),
    problems: problems.filter((problem) => problem !== unanswered),
  };
}

/** When a request was made, if that is known: Python services do not write it down. */
export function sinceOf(entry: unknown): string | null {
  const { since } = (entry ?? {}) as Partial<AttachRequest>;
  return typeof since === 'string' && !Number.isNaN(Date.parse(since)) ? since : null;
}

const SMALL = ['WANTS', 'HAS', 'DEVICE'];

/** @param height - lines of the terminal that it must fit into */
export function render(
  found: Status,
  { requests: byRequest = false, wide = false }: Pick<Options, 'requests' | 'wide'>,
  terminal: Pick<Terminal, 'columns' | 'colour'>,
  height = Number.POSITIVE_INFINITY,
): string {
  const { volumes, summary, lock, problems, unanswered } = found;
  const paint = painter(terminal);
  const width = wide ? Number.POSITIVE_INFINITY : terminal.columns;
  const counts = Object.entries(summary).map(
    ([verdict, many]) =>
      `${many} ${verdict === VERDICTS.unknown ? 'not known' : verdict.replace(/:.*/u, '')}`,
  );
  const count = plural(volumes.length, 'volume');
  const below = [
    counts.length === 0 ? count : `${count}: ${counts.join('; ')}`,
    lock.free ? 'Lock: free' : `Lock: not taken, so this may show half of a change. ${lock.problem}`,
    ...problems.slice(0, MOST),
    ...(problems.length > MOST ? [`… and ${problems.length - MOST} more`] : []),
    ...(unanswered === null ? [] : [unanswered]),
  ].map((line) => wrap(harmless(line), width));

  const rows = byRequest ? requestRows(found) : volumes.map((row) => ({ row, cells: volumeCells(row) }));
  const heading = byRequest
    ? ['REQUEST', 'AGE', 'VOLUME', ...SMALL, 'VERDICT']
    : ['VOLUME', ...SMALL, 'VERDICT', 'REQUESTS'];
  const verdictAt = heading.indexOf('VERDICT');
  const [head = '', ...blocks] = layOut([heading, ...rows.map(({ cells }) => cells.map(harmless))], {
    width,
    givingWay: byRequest ? [heading.indexOf('VOLUME'), verdictAt] : [heading.length - 1, verdictAt],
    paint: (words, at, column) => {
      const row = rows[at - 1]?.row;
      if (row === undefined) return paint('bold', words);
      if (row.finding) return paint(column === verdictAt ? 'red' : undefined, words);
      if (row.verdict === VERDICTS.ok) return paint(column === verdictAt ? 'green' : undefined, words);
      return paint('dim', words);
    },
  });
  const linesOf = (block: string) => block.split('\n').length;
  let room = height - linesOf([head, ...below].join('\n')) - 2;
  const end = blocks.findIndex((block) => {
    room -= linesOf(block);
    return room < 0;
  });
  const shown = end < 0 ? blocks : blocks.slice(0, Math.max(1, end));
  const rest = blocks.length - shown.length;
  const table = [head, ...shown, ...(rest > 0 ? [paint('dim', `… and ${rest} more`)] : []), ''];
  return `${[...(rows.length > 0 ? table : []), ...below].join('\n')}\n`;
}

type Row = Status['volumes'][number];

const smallCells = ({ wants, has, device }: Row) => [
  wants ?? '-',
  has ?? '-',
  device !== null ? 'yes' : has === null ? '-' : 'no',
];

const volumeCells = (row: Row) => [row.volume, ...smallCells(row), row.verdict, row.requests.join(', ')];

/** Volumes without a request come, too: they may be findings. */
function requestRows({ volumes, requests }: Status) {
  const since = new Map(requests.map((one) => [one.request, one.since]));
  return volumes.flatMap((row) =>
    (row.requests.length > 0 ? row.requests : ['-']).map((request) => {
      const made = since.get(request);
      const age = made ? duration(Date.now() - Date.parse(made)) : '-';
      return { row, cells: [request, age, row.volume, ...smallCells(row), row.verdict] };
    }),
  );
}
