import { describe, expect, test } from 'vitest';
import { cutOutClient } from '../../src/api/client-attachments.js';
import { Api, type Attachment } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';

const entry = (client: number, more: Record<string, unknown> = {}) => ({
  volume: `os--volume-${client}`,
  snapshot: false,
  client,
  rights: 'rw',
  pos: 3,
  globalId: 'a.b.c',
  ...more,
});
const asReply = (...data: unknown[]) => JSON.stringify({ generation: 7, data });
const cut = (text: string, client = 1) => cutOutClient(Buffer.from(text), client);
const parsed = (text: string, client = 1) =>
  (JSON.parse(text).data as Attachment[]).filter((one) => one.client === client);

describe('a reply as the service lays it out', () => {
  test.each([
    ['with the generation first', asReply(entry(1), entry(12), entry(21), entry(1), entry(2))],
    ['with the generation last', JSON.stringify({ data: [entry(2), entry(1)], generation: 9 })],
    ['without a generation', JSON.stringify({ data: [entry(1)] })],
    ['with the client first or last', '{"data":[{"client":1,"volume":"a"},{"volume":"b","client":1}]}'],
    [
      'with blanks between the entries',
      '{ "data" : [ {"volume":"a","client":1} ,\n {"volume":"b","client":2} ] }\n',
    ],
    ['without entries', asReply()],
    [
      'with entries that have no client',
      '{"data":[{"volume":"a"},{"volume":"b","client":1},{"volume":"c"}]}',
    ],
    ["with an object inside of another host's entry", asReply(entry(1), entry(2, { inside: { a: 1 } }))],
    ['with braces in texts of others', asReply(entry(2, { note: '}' }), entry(1), entry(2, { note: '{' }))],
    ['with a brace behind the client', asReply(entry(1, { note: 'a{b' }), entry(2))],
    ['with two clients in an entry', '{"data":[{"volume":"a","client":2,"client":1}]}'],
    ['with two clients in another', '{"data":[{"volume":"a","client":1,"client":2}]}'],
    ['with one client twice', '{"data":[{"volume":"a","client":1,"client":1}]}'],
    [
      'with blanks around the entries of others',
      '{"data":[ {"volume":"a","client":2} , {"volume":"b","client":1} ]}',
    ],
    ['of other hosts alone', asReply(entry(2), entry(3))],
    ['with names that are not ASCII', asReply(entry(1, { note: 'том' }), entry(2, { note: 'ö' }))],
  ])('%s is cut', (_what, text) => {
    expect(cut(text)).toEqual(parsed(text));
  });
});

describe('any other is left to JSON.parse', () => {
  test.each([
    ['an error', '{"error":{"name":"busy","descr":"\\"client\\":1"}}'],
    ['an error without escapes', '{"error":{"name":"busy","client":1}}'],
    ['a blank behind the colon', '{"data":[{"volume":"a","client": 1}]}'],
    ['a blank behind the number', '{"data":[{"volume":"a","client":1 }]}'],
    ['an escape', asReply(entry(1, { note: 'a"b' }))],
    ['an escaped key', '{"data":[{"volume":"a","\\u0063lient":1}]}'],
    ['an object inside of an entry', asReply(entry(1, { inside: { client: 1 } }), entry(2))],
    ['a brace in a text', asReply(entry(1, { note: 'a}b' }), entry(2))],
    ['the other brace in a text', asReply(entry(1, { volume: 'a{b' }), entry(2))],
    ['a number that is another way to write it', '{"data":[{"volume":"a","client":1e0}]}'],
    ['a client that is a text', '{"data":[{"volume":"a","client":"1"}]}'],
    ['something else before the data', '{"more":1,"data":[{"volume":"a","client":1}]}'],
    ['something else behind the data', '{"data":[{"volume":"a","client":1}],"more":{}}'],
    ['a list that is cut', '{"data":[{"volume":"a","client":1}'],
    ['an entry that is cut', '{"data":[{"volume":"a","client":1'],
    ['nothing between the entries', '{"data":[{"volume":"a","client":1}{"volume":"b","client":1}]}'],
    ['an entry of ours that is not JSON', '{"data":[{"volume":a,"client":1}]}'],
    ['an object that ends an entry', '{"data":[{"volume":"a","inside":{"client":1}}]}'],
    ['a list inside of an entry', asReply(entry(1), entry(2, { inside: [{ client: 1 }] }))],
    ['a text that is the key', asReply(entry(1), entry(2, { note: 'client' }))],
    ['a list of lists', '{"data":[[{"volume":"a","client":1}]]}'],
    ['HTML', '<html>"client":1</html>'],
    ['nothing', ''],
  ])('%s', (_what, text) => {
    expect(cut(text)).toBeUndefined();
  });

  test('text that is not UTF-8 in an entry of ours', () => {
    const bytes = Buffer.from('{"data":[{"volume":"a?","client":1}]}');
    bytes[bytes.indexOf('?')] = 0xff;
    expect(cutOutClient(bytes, 1)).toBeUndefined();
  });
});

test('whatever it gives is what JSON.parse gives, on thousands of replies that are nearly right', () => {
  let seed = 1;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const pieces = [
    '{',
    '}',
    '"',
    ',',
    ':',
    '[',
    ']',
    '"client":',
    '1',
    '2',
    ' ',
    '\\',
    'client',
    '{"client":1}',
    'null',
  ];
  let cutOut = 0;
  for (let round = 0; round < 20_000; round++) {
    const text = asReply(...Array.from({ length: 1 + random(4) }, () => entry(1 + random(3))));
    const at = random(text.length);
    const wrong =
      round % 4 === 0 ? text : text.slice(0, at) + pieces[random(pieces.length)] + text.slice(at + random(3));
    const found = cut(wrong);
    if (found === undefined) continue;
    cutOut++;
    let whole: Attachment[];
    try {
      whole = parsed(wrong);
    } catch {
      // Other hosts' entries are not looked into: one that is not JSON does no harm.
      continue;
    }
    expect(
      found.filter((one) => (one as Attachment).client === 1),
      wrong,
    ).toEqual(whole);
  }
  expect(cutOut).toBeGreaterThan(5000);
});

test('Api.attachmentsList({ client }) gives those of one client', async () => {
  await using fake = await FakeStorPool.start({
    volumes: ['a', 'b'],
    attachments: [{ volume: 'a' }, { volume: 'b', client: 2 }, { volume: 'a', client: 2 }],
  });
  const api = new Api({ port: fake.port, auth: '1234567890' });
  expect(await api.attachmentsList({ client: 2 })).toMatchObject([{ volume: 'b' }, { volume: 'a' }]);
  expect(await api.attachmentsList({ client: 3 })).toEqual([]);
  expect(await api.attachmentsList()).toHaveLength(3);
  fake.failNext('attachmentsList', { name: 'oops' });
  await expect(api.attachmentsList({ client: 1 })).rejects.toMatchObject({ code: 'oops' });
});
