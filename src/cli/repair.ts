import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { type AttachDB, type Attachment, type AttachRequest, SPConfig, SPLockedFileError } from '../index.js';
import { attempt, codeOf, forOperators, makeApi, openCache, problemOf, readSettings } from './host.js';
import { salvage } from './salvage.js';
import { sinceOf } from './status.js';
import {
  asJson,
  duration,
  harmless,
  isAgreed,
  layOut,
  painter,
  plural,
  type Style,
  type Terminal,
  wrap,
} from './terminal.js';
import { checkUnattended, type Options } from './usage.js';

/** What `repair --json` prints; guide/operating.md describes it. */
export type Repair = ReturnType<typeof reportOf> & { written: boolean; kept: string | null };

export async function repair(options: Options, terminal: Terminal): Promise<number> {
  checkUnattended(options);
  const { signal } = terminal;
  const print = (words: string) => options.json || terminal.write(words);
  const settings = await attempt(() => readSettings(options));
  const config = settings instanceof Error ? new SPConfig({ overrideConfig: {} }) : settings.config;
  const { db } = openCache('change', options, terminal, config);
  for (;;) {
    const torn = await readTorn(db, signal);
    const attached =
      settings instanceof Error ? settings : await attempt(() => attachedHere(db, options, config, signal));
    signal.throwIfAborted();
    const report = reportOf(torn, attached);
    print(render(report, options, terminal));
    const agreed = !options['dry-run'] && (await isAgreed(options, terminal));
    const kept = agreed ? await write(db, torn.bytes, report, signal) : null;
    if (kept === undefined) {
      print('The file has changed since. Once more:\n\n');
      continue;
    }
    if (kept !== null) print(`Written. What was torn is in ${kept}\n`);
    if (options.json) terminal.write(asJson({ ...report, written: kept !== null, kept } satisfies Repair));
    return kept === null && !options['dry-run'] ? 1 : 0;
  }
}

/** What the file and the journal hold. @throws Error when the file is JSON */
const readTorn = (db: AttachDB, signal: AbortSignal) =>
  db.withLock(
    async () => {
      const path = realpathSync(db.fname);
      // Whoever reads first finishes a write that was interrupted.
      const value = await attempt(() => db.jsload());
      if (!(value instanceof SPLockedFileError && value.code === 'ECORRUPT')) throw refusal(value, db.fname);
      const journal = readIfFile(`${path}.backup`);
      return { file: db.fname, bytes: readFileSync(path), mtimeMs: statSync(path).mtimeMs, journal };
    },
    { signal },
  );

function refusal(value: unknown, fname: string): Error {
  if (value instanceof Error) return value;
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return new Error(
      `${fname} is JSON, so there is nothing to repair; "storpool-attachdb doctor" looks at the rest`,
    );
  const kind = Array.isArray(value) ? 'a list' : JSON.stringify(value).slice(0, 20);
  return new Error(
    `${fname} holds ${kind}, not an object, so there is nothing to find in it: if nothing is attached to this host, flock ${fname} sh -c 'cp -p "$0" "$0.torn" && echo {} >"$0"' ${fname}`,
  );
}

/** What a file holds and when it was written. Opening a pipe would block. */
function readIfFile(path: string) {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats?.isFile() ? { bytes: readFileSync(path), mtimeMs: stats.mtimeMs } : undefined;
}

async function attachedHere(db: AttachDB, options: Options, config: SPConfig, signal: AbortSignal) {
  const [clientId, prefix] = [db.clientId(), db.volumePrefix()];
  const attachments = await makeApi(options, config).attachmentsList({ signal });
  return attachments.filter(({ client, volume }) => Number(client) === clientId && volume.startsWith(prefix));
}

/**
 * What would be written, where it comes from, and what would be lost. The torn file goes before the journal, because what
 * is in it was written later, or by a program that does not know the journal.
 *
 * @param attached - what this host has, or why that is not known
 */
export function reportOf(
  torn: Awaited<ReturnType<typeof readTorn>>,
  attached: readonly Pick<Attachment, 'volume' | 'rights' | 'globalId'>[] | Error,
) {
  const { file, bytes, mtimeMs, journal } = torn;
  const inFile = salvage(bytes);
  const inJournal = salvage(journal?.bytes ?? Buffer.alloc(0));
  const differing = (entry: unknown, ...others: unknown[]) =>
    others.filter((one) => one !== undefined && JSON.stringify(one) !== JSON.stringify(entry));
  const known = attached instanceof Error ? [] : attached;
  const explained = new Set<unknown>();
  const entries = [...new Set([...inFile.entries.keys(), ...inJournal.entries.keys()])].map((request) => {
    const isInFile = inFile.entries.has(request);
    const entry = (isInFile ? inFile : inJournal).entries.get(request);
    const { volume, rights, global_id: globalId } = (entry ?? {}) as Partial<AttachRequest>;
    const has = known.find((one) => one.volume === volume || (globalId && one.globalId === globalId));
    explained.add(has);
    return {
      request,
      volume: typeof volume === 'string' ? volume : '',
      wants: rights === 2 ? 'rw' : rights === 1 ? 'ro' : null,
      has: has?.rights ?? null,
      from: isInFile ? 'torn file' : 'FILE.backup',
      written: new Date(isInFile ? mtimeMs : (journal?.mtimeMs ?? 0)).toISOString(),
      since: sinceOf(entry),
      problem: problemOf(request, entry, 'in it'),
      differs: isInFile ? differing(entry, inFile.older.get(request), inJournal.entries.get(request)) : [],
      entry,
    };
  });
  const unexplained = known.filter((one) => !explained.has(one));
  return {
    file,
    entries,
    lost: inFile.fragments,
    unexplained: unexplained.map(({ volume, rights }) => ({ volume, has: rights })),
    notCompared: attached instanceof Error ? forOperators(attached.message) : null,
  };
}

const HEADING = ['REQUEST', 'VOLUME', 'WANTS', 'HAS', 'FROM', 'WRITTEN'];

function render(report: ReturnType<typeof reportOf>, { wide }: Options, terminal: Terminal): string {
  const { file, entries, lost, unexplained, notCompared } = report;
  const paint = painter(terminal);
  const width = wide ? Number.POSITIVE_INFINITY : terminal.columns;
  const has = (rights: string | null) => rights ?? (notCompared === null ? '-' : '?');
  const ago = (time: string) => `${duration(Date.now() - Date.parse(time))} ago`;
  const rows = [
    ...entries.map((one) => {
      const cells = [one.request, one.volume, one.wants ?? '-', has(one.has), one.from, ago(one.written)];
      return cells.map(harmless);
    }),
    ...unexplained.map(({ volume, has }) => ['-', harmless(volume), '-', has, 'attached', '-']),
  ];
  const table = layOut([HEADING, ...rows], {
    width,
    givingWay: [1],
    paint: (words, at) => paint(at === 0 ? 'bold' : at > entries.length ? 'yellow' : undefined, words),
  });
  const stay = `${plural(unexplained.length, 'volume')} attached without a known request, which this library never detaches. If one is in use, let its service attach it again, which makes the request.`;
  const todo = `To do: write ${plural(entries.length, 'request')} into ${file}, and keep what is there now as ${file}.torn. A request that nobody needs any more can be dropped later with "storpool-attachdb forget".`;
  const line = (words: string, style?: Style) => paint(style, wrap(harmless(words), width, 2));
  return [
    line(`${file} is torn. This is whole in it or in FILE.backup:`),
    '',
    ...(rows.length > 0 ? table : ['nothing']),
    '',
    ...entries.flatMap(({ problem }) => (problem ? line(problem, 'yellow') : [])),
    ...entries.flatMap(({ request, differs }) =>
      differs.map((other) => line(`${request} is also there as ${JSON.stringify(other)}`, 'yellow')),
    ),
    ...lost.map(({ at, content }) =>
      line(`Lost, because it is no whole request, at byte ${at}: ${content}`, 'red'),
    ),
    ...(unexplained.length > 0 ? [line(stay, 'yellow')] : []),
    ...(notCompared ? [line(`Not compared with what is attached to this host: ${notCompared}`, 'red')] : []),
    line(todo),
    '',
  ].join('\n');
}

/** @returns where the torn bytes are kept; `undefined`, and nothing is done, when they are no longer in the file */
const write = (db: AttachDB, bytes: Buffer, { entries }: ReturnType<typeof reportOf>, signal: AbortSignal) =>
  db.withLock(
    async () => {
      const path = realpathSync(db.fname);
      if (!readFileSync(path).equals(bytes)) return undefined;
      const kept = await keepTorn(path, bytes);
      await db.jsdump(Object.fromEntries(entries.map(({ request, entry }) => [request, entry])));
      return kept;
    },
    { signal },
  );

/** Keeps the bytes as FILE.torn, with the mode and group of the file. What an earlier repair has kept gets the name FILE.torn-DATE. */
async function keepTorn(path: string, bytes: Buffer): Promise<string> {
  const kept = `${path}.torn`;
  const earlier = lstatSync(kept, { throwIfNoEntry: false });
  if (earlier !== undefined) {
    const dated = `${kept}-${earlier.mtime.toISOString()}`;
    if (lstatSync(dated, { throwIfNoEntry: false }))
      throw new Error(`${kept} and ${dated} are in the way: move them away`);
    renameSync(kept, dated);
  }
  const { gid, mode } = statSync(path);
  // "x" neither follows a link nor overwrites.
  const file = openSync(kept, 'wx', 0o600);
  try {
    // Who is not in the group may not give it away, and then the group gets no access.
    const denied = codeOf(await attempt(() => fchownSync(file, -1, gid)));
    fchmodSync(file, mode & (denied === undefined ? 0o777 : 0o707));
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  return kept;
}
