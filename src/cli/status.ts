import { setTimeout } from 'node:timers/promises';
import type { AttachDB } from '../index.js';
import { isTorn, look, makeApi, openCache, readCache, readSettings, rowsOf, sideFiles } from './host.js';
import type { Row, Verdict } from './rows.js';
import { asJson, harmless, layOut, type Paint, painter, type Terminal, wrap } from './terminal.js';
import { type Options, UsageError } from './usage.js';

/** What `status --json` prints; guide/operating.md describes it. */
export type Status = Awaited<ReturnType<typeof statusOf>>;

export async function status(options: Options, terminal: Terminal): Promise<number> {
  if (options.json && options.watch) throw new UsageError('--json and --watch cannot be used together');
  const { config } = readSettings(options);
  const db = openCache(options, terminal, config, makeApi(config));
  if (options.watch) return watch(db, terminal);
  const found = await statusOf(db, terminal.signal);
  terminal.write(options.json ? asJson(found) : render(found, terminal));
  return found.ok ? 0 : 1;
}

const INTERVAL = 2000;

/** Until Ctrl-C; what fails now may work at the next look. */
async function watch(db: AttachDB, terminal: Terminal): Promise<number> {
  const { signal } = terminal;
  while (!signal.aborted) {
    const picture = await statusOf(db, signal).then(
      (found) => render(found, terminal, terminal.rows),
      (error: Error) => `${harmless(error.message)}\n`,
    );
    if (signal.aborted) break;
    terminal.write(`\x1b[H\x1b[J${picture}`);
    await setTimeout(INTERVAL, undefined, { signal }).catch(() => undefined);
  }
  return 0;
}

async function statusOf(db: AttachDB, signal: AbortSignal) {
  const see = async () => rowsOf(db, readCache(db.fname), signal);
  const { seen: rows, withoutLock } = await look(db, see, signal);
  if (rows instanceof Error) {
    // Who may not even read the file is told by the library what to do.
    throw withoutLock && 'syscall' in rows ? withoutLock.error : rows;
  }
  const summary: Partial<Record<Verdict, number>> = {};
  for (const { verdict } of rows) summary[verdict] = (summary[verdict] ?? 0) + 1;
  const waiting = sideFiles(db.fname)
    .filter((one) => isTorn(one) || one.path === `${db.fname}.restored`)
    .map(({ path }) => path);
  return {
    ok: waiting.length === 0 && rows.every(({ finding }) => !finding),
    file: db.fname,
    clientId: db.clientId(),
    prefix: db.volumePrefix(),
    lock: { free: withoutLock === null, problem: withoutLock?.problem ?? null },
    volumes: rows,
    summary,
    waiting,
  };
}

const HEADING = ['VOLUME', 'REQUESTS', 'WANTS', 'HAS', 'DEVICE', 'VERDICT'];
/** How narrow the volumes and the requests may get, in characters. */
const LEAST = [16, 8];

/** @param height - lines of the terminal that it must fit into */
export function render(
  { volumes, summary, lock, waiting }: Status,
  terminal: Pick<Terminal, 'columns' | 'colour'>,
  height = Number.POSITIVE_INFINITY,
): string {
  const paint = painter(terminal);
  const count = volumes.length === 1 ? '1 volume' : `${volumes.length} volumes`;
  const counts = Object.entries(summary).map(([verdict, many]) => `${many} ${verdict.replace(/:.*/u, '')}`);
  const below = [
    counts.length === 0 ? count : `${count}: ${counts.join('; ')}`,
    lock.free ? 'Lock: free' : `Lock: not taken, so this may show half of a change. ${lock.problem}`,
    ...waiting.map((path) => `To be looked at: ${path}; "storpool-attachdb doctor" says more`),
  ].map((line) => wrap(harmless(line), terminal.columns));
  const shown = volumes.slice(0, Math.max(1, height - below.join('\n').split('\n').length - 4));
  const [heading = [], ...cells] = layOut([HEADING, ...shown.map(cellsOf)], terminal.columns, LEAST);
  const table = [
    paint('bold', heading.join('  ')),
    ...shown.map((row, at) => paintRow(row, cells[at] ?? [], paint)),
    ...(shown.length < volumes.length ? [paint('dim', `… and ${volumes.length - shown.length} more`)] : []),
    '',
  ];
  return `${[...(shown.length > 0 ? table : []), ...below].join('\n')}\n`;
}

function cellsOf({ volume, requests, wants, has, device, verdict }: Row): string[] {
  const there = device === null ? 'no' : 'yes';
  const cells = [volume, requests.join(', '), wants ?? '-', has ?? '-', has === null ? '-' : there, verdict];
  return cells.map(harmless);
}

function paintRow({ finding, verdict }: Row, cells: readonly string[], paint: Paint): string {
  const [before, last] = [cells.slice(0, -1).join('  '), cells.at(-1) ?? ''];
  if (!finding && verdict !== 'ok') return paint('dim', `${before}  ${last}`);
  return `${before}  ${paint(finding ? 'red' : 'green', last)}`;
}
