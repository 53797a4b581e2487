/** What can be made out in the bytes of a torn cache. */
export interface Salvage {
  /** The whole entries by their keys, in the order in which they stand there. */
  entries: Map<string, unknown>;
  /** Other values of keys that are there more than once. What stands first was written last. */
  older: Map<string, unknown>;
  /** What is between the entries and belongs to none of them. */
  fragments: { at: number; content: string }[];
}

const STRING = String.raw`"[^"\\]*(?:\\.[^"\\]*)*"`;
const KEY = new RegExp(`(${STRING})[ \\t\\n\\r]*:[ \\t\\n\\r]*`, 'ys');
const TOKEN = new RegExp(String.raw`[ \t\n\r,:]+|[{[]|[}\]]|${STRING}|[-+.\w]+`, 'ys');
const START = /[ \t\n\r]*\{[ \t\n\r]*/y;
const BETWEEN = /[ \t\n\r]*,[ \t\n\r]*/y;
/** Behind a value without brackets, which may be cut or a key. */
const BEHIND = /[ \t\n\r]*[,}]/y;
/** What says nothing: NUL bytes come from a power cut. */
const NOTHING = /^[\s{},\0]*$/u;
/** What a request has, and no cache as a key: with such a key it begins within half a request. */
const MEMBER = /^(volume|type|id|rights|volsnap|remove_on_detach|since|global_id)$/u;

/**
 * Every entry of the outermost object that is whole, also behind a place that is broken. How deep it is there nobody can
 * tell, so only what looks like a request counts as an entry: an object that names a volume. Its key may have lost its
 * beginning, so its `id` goes before it.
 */
export function salvage(bytes: Buffer): Salvage {
  // One character for each byte, because a file may be cut within a character.
  const input = bytes.toString('latin1');
  const found: Salvage = { entries: new Map(), older: new Map(), fragments: [] };
  const start = endOf(START, input, 0);
  let isBroken = start === undefined;
  let at = start ?? 0;
  let wholeTo = at;
  while (at < input.length) {
    const entry = entryAt(input, at);
    const isEntry = entry && (isRequestLike(entry.value) || !(isBroken || MEMBER.test(entry.key)));
    if (!isEntry || holdsRequest(entry.value)) {
      isBroken = true;
      const next = input.indexOf('"', at + 1);
      at = next < 0 ? input.length : next;
      continue;
    }
    const { value, end } = entry;
    const { id } = (value ?? {}) as { id?: unknown };
    const key = isBroken && typeof id === 'string' ? id : entry.key;
    addFragment(found, input, wholeTo, at);
    const { entries, older } = found;
    if (!entries.has(key)) entries.set(key, value);
    else if (!older.has(key)) older.set(key, value);
    wholeTo = end;
    at = endOf(BETWEEN, input, end) ?? end;
  }
  addFragment(found, input, wholeTo, input.length);
  return found;
}

function addFragment({ fragments }: Salvage, input: string, from: number, to: number): void {
  const between = input.slice(from, to);
  if (NOTHING.test(between)) return;
  const at = from + between.search(/[^\s{},\0]/u);
  fragments.push({ at, content: utf8(input.slice(at, to)).replace(/[\s,\0]+$/u, '') });
}

/** The entry that begins there, if it is whole. */
function entryAt(input: string, at: number): { key: string; value: unknown; end: number } | undefined {
  KEY.lastIndex = at;
  const match = KEY.exec(input);
  if (match === null) return undefined;
  const from = KEY.lastIndex;
  const end = endOfValue(input, from);
  if (end === undefined) return undefined;
  try {
    return { key: JSON.parse(utf8(match[1] ?? '')), value: JSON.parse(utf8(input.slice(from, end))), end };
  } catch {
    // Brackets that match do not make it JSON.
    return undefined;
  }
}

function endOfValue(input: string, from: number): number | undefined {
  let depth = 0;
  let at = from;
  do {
    const end = endOf(TOKEN, input, at);
    if (end === undefined) return undefined;
    const first = input[at] as string;
    if ('{['.includes(first)) depth++;
    else if ('}]'.includes(first)) depth--;
    else if (depth === 0 && endOf(BEHIND, input, end) === undefined) return undefined;
    at = end;
  } while (depth > 0);
  return at;
}

function endOf(pattern: RegExp, input: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(input) ? pattern.lastIndex : undefined;
}

const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString();

const isRequestLike = (value: unknown) => typeof (value as { volume?: unknown } | null)?.volume === 'string';

/** Whether it is half of an entry that has swallowed others. */
const holdsRequest = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).some((member) => isRequestLike(member) || holdsRequest(member));
