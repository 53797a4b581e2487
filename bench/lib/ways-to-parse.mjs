import { cutOutClient } from '../../dist/api/client-attachments.js';

/**
 * Ways from the bytes of a list of attachments to those of one client. Each gives what JSON.parse and a filter
 * give, or says by its `trusts` what it takes on trust.
 */
export const WAYS = {
  'what the library does: cut out of the text, parse all of any other layout': {
    trusts: 'the entries of other hosts',
    read: (bytes, client) => cutOutClient(bytes, client) ?? checked(bytes, client),
  },
  'what it does for other layouts: decode strictly, JSON.parse, check each entry': { read: checked },
  'JSON.parse alone': {
    read: (bytes, client) => JSON.parse(bytes.toString()).data.filter((entry) => entry.client === client),
  },
  'JSON.parse, decoded as Latin-1': {
    trusts: 'that every name is ASCII',
    read: (bytes, client) => JSON.parse(bytes.latin1Slice()).data.filter((entry) => entry.client === client),
  },
  'JSON.parse with a reviver': {
    trusts: 'that nothing else has a client',
    read(bytes, client) {
      const others = (_key, value) =>
        value?.client !== undefined && value.client !== client ? undefined : value;
      return JSON.parse(bytes.toString(), others).data.filter((entry) => entry !== undefined);
    },
  },
  'search the bytes for "client":ID, parse around it': {
    trusts: 'that entries hold no objects, and texts no braces and no blanks come after a colon',
    read: searchBytes,
  },
  'cut into entries byte by byte, parse those that may be ours': {
    trusts: 'that a client is written as a plain number',
    read: cutAll,
  },
};

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const ZERO = 0x30;
const NINE = 0x39;

const isDigit = (byte) => byte >= ZERO && byte <= NINE;

function checked(bytes, client) {
  const { data } = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  for (const entry of data) {
    if (typeof entry !== 'object' || entry === null || typeof entry.volume !== 'string')
      throw new Error('bad');
  }
  return data.filter((entry) => entry.client === client);
}

function searchBytes(bytes, client) {
  const needle = Buffer.from(`"client":${client}`);
  const found = [];
  for (let at = bytes.indexOf(needle); at !== -1; at = bytes.indexOf(needle, at + needle.length)) {
    if (isDigit(bytes[at + needle.length])) continue;
    const start = bytes.lastIndexOf(OPEN, at);
    const end = bytes.indexOf(CLOSE, at) + 1;
    found.push(JSON.parse(bytes.toString('utf8', start, end)));
  }
  return found;
}

/** What reading the reply as it streams in would have to do with each byte. */
function cutAll(bytes, client) {
  const ours = new RegExp(`"client"\\s*:\\s*${client}(?!\\d)`, 'u');
  const found = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      do {
        at = bytes.indexOf(QUOTE, at + 1);
      } while (isEscaped(bytes, at));
    } else if (byte === OPEN || byte === OPEN_LIST) {
      // The reply, its list, an entry.
      if (++depth === 3) start = at;
    } else if ((byte === CLOSE || byte === CLOSE_LIST) && depth-- === 3) {
      if (!ours.test(bytes.latin1Slice(start, at + 1))) continue;
      const parsed = JSON.parse(bytes.toString('utf8', start, at + 1));
      if (parsed.client === client) found.push(parsed);
    }
  }
  return found;
}

function isEscaped(bytes, quote) {
  let backslashes = 0;
  while (bytes[quote - 1 - backslashes] === BACKSLASH) backslashes++;
  return backslashes % 2 === 1;
}
