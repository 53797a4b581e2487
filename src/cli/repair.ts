import * as fs from 'node:fs';
import type { Attachment, AttachRequest } from '../index.js';
import { asError, attempt, codeOf, Host, problemOf } from './host.js';
import type { Outcome } from './outcome.js';
import { salvage } from './salvage.js';
import { sinceOf } from './status.js';
import { age, isAgreed, line, plural, type Style, type Terminal, table } from './terminal.js';
import type { Options } from './usage.js';

export async function repair(options: Options, terminal: Terminal): Promise<Outcome> {
  const host = new Host(options, terminal);
  for (;;) {
    const torn = await readTorn(host);
    const attached = await attachedHere(host).catch(asError);
    host.signal.throwIfAborted();
    const found = reportOf(host.db.fname, torn, attached);
    terminal.write(render(found, terminal));
    const kept = (await isAgreed(options, terminal)) ? await write(host, torn.file.bytes, found) : null;
    if (kept) terminal.write(`Written. What was torn is in ${kept}\n`);
    if (kept !== undefined)
      return { code: kept || options['dry-run'] ? 0 : 1, report: { ...found, written: kept !== null, kept } };
    terminal.write('The file has changed since. Once more:\n\n');
  }
}

const readFile = (path: string) => ({ bytes: fs.readFileSync(path), mtimeMs: fs.statSync(path).mtimeMs });

/** What the file and the journal hold. @throws Error when the file is JSON */
const readTorn = (host: Host) =>
  host.locked(async () => {
    const { db } = host;
    // Whoever reads first finishes a write that was interrupted.
    const read = await db.jsload().catch(asError);
    const advice = 'if it is no object, stop the services and correct it';
    if (!(read instanceof Error))
      throw new Error(`${db.fname} is JSON, so there is nothing to repair; ${advice}`);
    if (codeOf(read) !== 'ECORRUPT') throw read;
    const path = fs.realpathSync(db.fname);
    // Opening a pipe would block.
    const hasJournal = fs.statSync(`${path}.backup`, { throwIfNoEntry: false })?.isFile();
    const journal = hasJournal ? readFile(`${path}.backup`) : { bytes: Buffer.alloc(0), mtimeMs: 0 };
    return { file: readFile(path), journal };
  });

async function attachedHere({ db, signal }: Host) {
  const [clientId, prefix] = [db.clientId(), db.volumePrefix()];
  const attachments = await db.api().attachmentsList({ signal });
  return attachments.filter(({ client, volume }) => Number(client) === clientId && volume.startsWith(prefix));
}

type Found = ReturnType<typeof reportOf>;

/**
 * What would be written, where it comes from, and what would be lost; guide/operating.md describes it. The torn file
 * goes before the journal, because what is in it was written later, or by a program that does not know the journal.
 *
 * @param attached - what this host has, or why that is not known
 */
function reportOf(
  fname: string,
  { file, journal }: Awaited<ReturnType<typeof readTorn>>,
  attached: readonly Pick<Attachment, 'volume' | 'rights' | 'globalId'>[] | Error,
) {
  const [inFile, inJournal] = [salvage(file.bytes), salvage(journal.bytes)];
  const known = attached instanceof Error ? [] : attached;
  const explained = new Set<unknown>();
  const entries = [...new Map([...inFile.entries, ...inJournal.entries]).keys()].map((request) => {
    const isInFile = inFile.entries.has(request);
    const entry = (isInFile ? inFile : inJournal).entries.get(request);
    const { volume, rights, global_id: globalId } = (entry ?? {}) as Partial<AttachRequest>;
    const has = known.find((one) => one.volume === volume || (globalId && one.globalId === globalId));
    explained.add(has);
    const others = isInFile ? [inFile.older.get(request), inJournal.entries.get(request)] : [];
    return {
      request,
      volume: typeof volume === 'string' ? volume : '',
      wants: rights === 2 ? 'rw' : rights === 1 ? 'ro' : null,
      has: has?.rights ?? null,
      from: isInFile ? 'torn file' : 'FILE.backup',
      written: new Date((isInFile ? file : journal).mtimeMs).toISOString(),
      since: sinceOf(entry),
      problem: problemOf(request, entry, 'in it'),
      differs: others.filter((one) => one !== undefined && JSON.stringify(one) !== JSON.stringify(entry)),
      entry,
    };
  });
  const rest = known.filter((one) => !explained.has(one));
  const unexplained = rest.map(({ volume, rights }) => ({ volume, has: rights }));
  const notCompared = attached instanceof Error ? attached.message : null;
  return { file: fname, entries, lost: inFile.fragments, unexplained, notCompared };
}

function render({ file, entries, lost, unexplained, notCompared }: Found, terminal: Terminal): string {
  const rows = entries.map((one) => {
    const has = one.has ?? (notCompared === null ? '-' : '?');
    return [one.request, one.volume, one.wants ?? '-', has, one.from, `${age(one.written)} ago`];
  });
  const heading = ['REQUEST', 'VOLUME', 'WANTS', 'HAS', 'FROM', 'WRITTEN'];
  const others = unexplained.map(({ volume, has }) => ['-', volume, '-', has, 'attached', '-']);
  const styleOf = (row: number) => (row === 0 ? 'bold' : row > rows.length ? 'yellow' : undefined);
  const lines = table(terminal, [heading, ...rows, ...others], [1], styleOf);
  const say = (words: string, style?: Style) => line(terminal, words, 2, style);
  const stay = `${plural(others.length, 'volume')} attached without a known request, which this library never detaches. If one is in use, let its service attach it again, which makes the request.`;
  const todo = `To do: write ${plural(rows.length, 'request')} into ${file}, and keep what is there now as ${file}.torn. A request that nobody needs any more can be dropped later with "storpool-attachdb forget".`;
  return [
    say(`${file} is torn. This is whole in it or in FILE.backup:`),
    `\n${lines.length > 1 ? lines.join('\n') : 'nothing'}\n\n`,
    ...entries.flatMap(({ problem }) => (problem ? say(problem, 'yellow') : [])),
    ...entries.flatMap(({ request, differs }) =>
      differs.map((other) => say(`${request} is also there as ${JSON.stringify(other)}`, 'yellow')),
    ),
    ...lost.map(({ at, content }) => say(`Lost, as no whole request, at byte ${at}: ${content}`, 'red')),
    others.length > 0 ? say(stay, 'yellow') : '',
    notCompared ? say(`Not compared with what is attached to this host: ${notCompared}`, 'red') : '',
    say(todo),
  ].join('');
}

/** @returns where the torn bytes are kept; `undefined`, and nothing is done, when they are no longer in the file */
const write = (host: Host, bytes: Buffer, { entries }: Found) =>
  host.locked(async () => {
    const path = fs.realpathSync(host.db.fname);
    if (!fs.readFileSync(path).equals(bytes)) return undefined;
    const kept = keepTorn(path, bytes);
    await host.db.jsdump(Object.fromEntries(entries.map(({ request, entry }) => [request, entry])));
    return kept;
  });

/** Keeps the bytes as FILE.torn. What an earlier repair has kept gets the name FILE.torn-DATE. */
function keepTorn(path: string, bytes: Buffer): string {
  const kept = `${path}.torn`;
  const earlier = fs.lstatSync(kept, { throwIfNoEntry: false });
  if (earlier !== undefined) fs.renameSync(kept, `${kept}-${earlier.mtime.toISOString()}`);
  const { gid, mode } = fs.statSync(path);
  // "x" neither follows a link nor overwrites.
  const file = fs.openSync(kept, 'wx', 0o600);
  try {
    // Who is not in the group may not give it away, and then the group gets no access.
    const denied = attempt(() => fs.fchownSync(file, -1, gid));
    if (denied === undefined) fs.fchmodSync(file, mode & 0o777);
    fs.writeFileSync(file, bytes);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
  return kept;
}
