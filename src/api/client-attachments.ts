/** What the reply of a list has before its first entry and after its last. */
const BEFORE = /^\s*\{(?:\s*"generation"\s*:\s*\d+\s*,)?\s*"data"\s*:\s*\[\s*$/u;
const AFTER = /^\s*\](?:\s*,\s*"generation"\s*:\s*\d+)?\s*\}\s*$/u;
const BETWEEN = /^\s*,\s*$/u;
const KEY = Buffer.from('"client":');

const OPEN = 0x7b;
const CLOSE = 0x7d;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;

/**
 * The entries of one client, cut out of the reply to `AttachmentsList` without parsing the thousands that are
 * other hosts'. Of those no more is looked at than where they begin and end, and whose they are.
 *
 * It works for a reply as the service lays it out: flat entries, `"client":NUMBER` in each, no escapes.
 *
 * @returns `undefined` for any other reply; it has to be parsed as a whole
 */
export function cutOutClient(reply: Buffer, client: number): unknown[] | undefined {
  // Without escapes a quote always ends a text, so that no text can hold what looks like a key.
  if (reply.includes(BACKSLASH)) return undefined;
  const found: unknown[] = [];
  let entries = 0;
  let end = 0;
  for (let key = reply.indexOf(KEY); key !== -1; key = reply.indexOf(KEY, end)) {
    const start = reply.lastIndexOf(OPEN, key);
    const gap = entries === 0 ? BEFORE : BETWEEN;
    if (start < end || !(isComma(reply, end, start) || gap.test(reply.toString('latin1', end, start))))
      return undefined;
    const value = key + KEY.length;
    const owner = numberAt(reply, value);
    end = reply.indexOf(CLOSE, value) + 1;
    if (owner === undefined || end === 0 || !isLastKey(reply, value, end)) return undefined;
    entries++;
    if (owner !== client) continue;
    try {
      found.push(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(reply.subarray(start, end))));
    } catch {
      return undefined;
    }
  }
  // A brace too many is one inside of an entry, or of a text: then the entries are not where they seem to be.
  const whole =
    entries > 0 && AFTER.test(reply.toString('latin1', end)) && count(reply, OPEN) === entries + 1;
  return whole && count(reply, CLOSE) === entries + 1 ? found : undefined;
}

const isComma = (reply: Buffer, from: number, to: number) =>
  to === from + 1 && from > 0 && reply[from] === COMMA;

/** Of two members of one name JSON takes the last. */
function isLastKey(reply: Buffer, value: number, end: number): boolean {
  const next = reply.indexOf(KEY, value);
  return next === -1 || next >= end;
}

/** The whole number that stands there by itself, if one does. */
function numberAt(reply: Buffer, at: number): number | undefined {
  let end = at;
  while (isDigit(reply[end])) end++;
  const next = reply[end];
  if (end === at || (next !== COMMA && next !== CLOSE)) return undefined;
  return Number(reply.toString('latin1', at, end));
}

const isDigit = (byte: number | undefined) => byte !== undefined && byte >= 0x30 && byte <= 0x39;

function count(bytes: Buffer, byte: number): number {
  let hits = 0;
  for (let at = bytes.indexOf(byte); at !== -1; at = bytes.indexOf(byte, at + 1)) hits++;
  return hits;
}
