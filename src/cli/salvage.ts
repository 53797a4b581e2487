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
/** Entries are objects. */
const KEY = new RegExp(`(${STRING})[ \\t\\n\\r]*:[ \\t\\n\\r]*(?=\\{)`, 'gs');
const TOKEN = new RegExp(String.raw`[ \t\n\r,:]+|[{[]|[}\]]|${STRING}|[-+.\w]+`, 'ys');
/** What says nothing: NUL bytes come from a power cut. */
const NOTHING = /^[\s{},\0]*$/u;

/**
 * Every entry of the outermost object that is whole, also behind a place that is broken. How deep it is there nobody can
 * tell, so only what looks like a request counts as an entry: an object that names a volume. Its key may have lost its
 * beginning, so its `id` goes before it.
 */
export function salvage(bytes: Buffer): Salvage {
  // One character for each byte, because a file may be cut within a character.
  const input = bytes.toString('latin1');
  const found: Salvage = { entries: new Map(), older: new Map(), fragments: [] };
  let wholeTo = 0;
  let isBroken = false;
  KEY.lastIndex = 0;
  for (let match = KEY.exec(input); match !== null; match = KEY.exec(input)) {
    const isInside = match.index < wholeTo;
    isBroken ||= !isInside && !NOTHING.test(input.slice(wholeTo, match.index));
    const start = KEY.lastIndex;
    const end = endOfValue(input, start);
    const value = parsed(input.slice(start, end)) as { id?: unknown } | undefined;
    KEY.lastIndex = match.index + 1;
    if (end === undefined || !value || (isBroken && !isRequestLike(value))) continue;
    const name = String(parsed(match[1] ?? ''));
    // Half of an entry may have swallowed others, and then both count; but not what is a member of one.
    const holdsOthers = holdsRequest(value);
    if ((holdsOthers || isInside) && value.id !== name) continue;
    const key = isBroken && typeof value.id === 'string' ? value.id : name;
    if (!isInside) addFragment(found, input, wholeTo, match.index);
    const { entries, older } = found;
    if (!entries.has(key)) entries.set(key, value);
    else if (!older.has(key)) older.set(key, value);
    wholeTo = Math.max(wholeTo, end);
    KEY.lastIndex = holdsOthers ? start : end;
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

/** Where the object ends that begins there; `undefined` if it does not. */
function endOfValue(input: string, from: number): number | undefined {
  let depth = 0;
  TOKEN.lastIndex = from;
  do {
    const first = input[TOKEN.lastIndex] ?? ' ';
    if ('{['.includes(first)) depth++;
    else if ('}]'.includes(first)) depth--;
    if (!TOKEN.test(input)) return undefined;
  } while (depth > 0);
  return TOKEN.lastIndex;
}

/** Brackets that match do not make it JSON. */
function parsed(latin1: string): unknown {
  try {
    return JSON.parse(utf8(latin1));
  } catch {
    return undefined;
  }
}

const utf8 = (latin1: string) => Buffer.from(latin1, 'latin1').toString();

const isRequestLike = (value: unknown) => typeof (value as { volume?: unknown } | null)?.volume === 'string';

const holdsRequest = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).some((member) => isRequestLike(member) || holdsRequest(member));
