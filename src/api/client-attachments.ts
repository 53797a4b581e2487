/** What the reply of a list has before its first entry and after its last. */
const BEFORE = /^\s*\{(?:\s*"generation"\s*:\s*\d+\s*,)?\s*"data"\s*:\s*\[$/u;
const AFTER = /^\](?:\s*,\s*"generation"\s*:\s*\d+)?\s*\}\s*$/u;
const BACKSLASH = 0x5c;

/**
 * The entries of one client, cut out of the reply to `AttachmentsList` without parsing the thousands that are
 * other hosts'. Those are not looked into.
 *
 * It works for a reply as the service lays it out: one list, `"client":NUMBER` without blanks, no escapes.
 *
 * @returns `undefined` for any other reply; it has to be parsed as a whole
 */
export function cutOutClient(reply: Buffer, client: number): unknown[] | undefined {
  // Without escapes a quote always ends a text, so that no text can hold what looks like a key.
  if (reply.includes(BACKSLASH)) return undefined;
  // A byte is a character: what is found in one is at the same place in the other.
  const text = reply.toString('latin1');
  const list = reply.indexOf('[');
  const end = reply.indexOf(']');
  const isOnlyList = list === reply.lastIndexOf('[') && end === reply.lastIndexOf(']');
  if (!isOnlyList || !BEFORE.test(text.slice(0, list + 1)) || !AFTER.test(text.slice(end))) return undefined;

  const found: unknown[] = [];
  const ours = new RegExp(`"client"(?::${client}[,}]|(?!:\\d+[,}]))`, 'g');
  for (let key = ours.exec(text); key !== null; key = ours.exec(text)) {
    if (key[0] === '"client"') return undefined;
    const from = text.lastIndexOf('{', key.index);
    const to = text.indexOf('}', key.index) + 1;
    if (!isEntry(text, from, to)) return undefined;
    try {
      // A brace inside of the entry, or of a text, makes this fail: what it cuts off leaves no whole object.
      const entry = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(reply.subarray(from, to)));
      if (entry.client === client) found.push(entry);
    } catch {
      return undefined;
    }
    ours.lastIndex = to;
  }
  return found;
}

/** Whether what is there is an entry of a list by itself, and not a part of one. */
const isEntry = (text: string, from: number, to: number) =>
  from !== -1 &&
  to !== 0 &&
  /[[,]/u.test(text.slice(0, from).trimEnd().slice(-1)) &&
  /[\],]/u.test(text.slice(to).trimStart().slice(0, 1));
