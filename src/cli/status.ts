import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { openCache, survey } from './host.js';
import { type Options, UsageError } from './options.js';
import { countVerdicts, type Row, rowsOf, type Verdict } from './rows.js';
import { harmless, layOut, type Paint, painter, type Terminal, wrap } from './terminal.js';

/** What `status --json` prints. */
export interface Status {
  /** Whether there is no finding, and nothing waits for an operator. */
  ok: boolean;
  file: string;
  clientId: number;
  prefix: string;
  /** `free`, or why this was read without the lock. */
  lock: { free: boolean; problem: string | null };
  volumes: Row[];
  /** How many of them have which verdict. */
  summary: Partial<Record<Verdict, number>>;
  /** The files beside the cache that wait for an operator. */
  waiting: string[];
}

const INTERVAL = 2000;

export async function status(options: Options, terminal: Terminal, signal: AbortSignal): Promise<number> {
  if (options.json && options.watch) throw new UsageError('--json and --watch exclude each other');
  const db = openCache(options, (message) => terminal.writeError(`${harmless(message)}\n`));
  const look = async (): Promise<Status> => {
    const seen = await survey(db, signal);
    const prefix = db.volumePrefix();
    const volumes = rowsOf({ ...seen, prefix });
    const waiting = waitingFiles(db.fname);
    return {
      ok: waiting.length === 0 && volumes.every(({ finding }) => !finding),
      file: db.fname,
      clientId: db.clientId(),
      prefix,
      lock: { free: seen.withoutLock === null, problem: seen.withoutLock },
      volumes,
      summary: countVerdicts(volumes),
      waiting,
    };
  };
  if (options.watch) return watch(look, terminal, signal);
  const found = await look();
  terminal.write(options.json ? `${JSON.stringify(found, null, 2)}\n` : render(found, terminal));
  return found.ok ? 0 : 1;
}

/** Until Ctrl-C; what fails now may work at the next look. */
async function watch(look: () => Promise<Status>, terminal: Terminal, signal: AbortSignal): Promise<number> {
  while (!signal.aborted) {
    const picture = await look().then(
      (found) => render(found, terminal, terminal.rows),
      (error: Error) => `${harmless(error.message)}\n`,
    );
    if (signal.aborted) break;
    terminal.write(`\x1b[H\x1b[J${picture}`);
    await setTimeout(INTERVAL, undefined, { signal }).catch(() => undefined);
  }
  return 0;
}

/** A restore left them there, for somebody to look at. */
export function waitingFiles(fname: string): string[] {
  const [dir, name] = [dirname(fname), basename(fname)];
  return readdirSync(dir)
    .filter((one) => one === `${name}.restored` || one.startsWith(`${name}.torn`))
    .sort()
    .map((one) => join(dir, one));
}

const COLUMNS = [
  { heading: 'VOLUME', least: 16, order: 1 },
  { heading: 'REQUESTS', least: 8 },
  { heading: 'WANTS' },
  { heading: 'HAS' },
  { heading: 'DEVICE' },
  { heading: 'VERDICT' },
];

/** @param rows - lines of the terminal that it must fit into */
export function render(
  { volumes, summary, lock, waiting }: Status,
  terminal: Pick<Terminal, 'columns' | 'colour'>,
  rows = Number.POSITIVE_INFINITY,
): string {
  const paint = painter(terminal);
  const below = [
    `${volumes.length === 1 ? '1 volume' : `${volumes.length} volumes`}${countsOf(summary)}`,
    lock.free ? 'Lock: free' : `Lock: not free, so this may show half of a change. ${lock.problem}`,
    ...waiting.map((path) => `Waiting for a look: ${path}; "storpool-attachdb doctor" says more`),
  ].map((line) => wrap(harmless(line), terminal.columns));
  const most = Math.max(1, rows - below.join('\n').split('\n').length - 4);
  const shown = volumes.slice(0, most);
  const [heading = [], ...table] = layOut(COLUMNS, shown.map(cellsOf), terminal.columns);
  const lines = table.map((cells, at) => paintRow(cells, shown[at] as Row, paint));
  if (shown.length < volumes.length) lines.push(paint('dim', `… and ${volumes.length - shown.length} more`));
  return `${[...(shown.length > 0 ? [paint('bold', heading.join('  ')), ...lines, ''] : []), ...below].join('\n')}\n`;
}

const countsOf = (summary: Status['summary']) => {
  const counts = Object.entries(summary).map(([verdict, count]) => `${count} ${verdict.replace(/:.*/u, '')}`);
  return counts.length === 0 ? '' : `: ${counts.join('; ')}`;
};

const cellsOf = ({ volume, requests, wants, has, device, verdict }: Row) =>
  [
    volume,
    requests.join(', '),
    wants ?? '-',
    has ?? '-',
    has === null ? '-' : device === null ? 'no' : 'yes',
    verdict,
  ].map(harmless);

function paintRow(cells: readonly string[], { finding, verdict }: Row, paint: Paint): string {
  const before = cells.slice(0, -1).join('  ');
  const last = cells.at(-1) ?? '';
  if (verdict === 'ok') return `${before}  ${paint('green', last)}`;
  return finding ? `${before}  ${paint('red', last)}` : paint('dim', `${before}  ${last}`);
}
