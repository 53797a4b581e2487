import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../src/index.js';
import { fname, onDisk, useLockedFile } from './quiet-db.js';

const path = useLockedFile();
let db: SPLockedJSONDB;
beforeEach(() => {
  db = new SPLockedJSONDB(fname);
});
const parsed = () => JSON.parse(onDisk());

test('what is added is there, for this object and for others', async () => {
  await db.add('a', { rights: 2 });
  await db.add('b', { rights: 1 });
  expect(await db.get()).toEqual({ a: { rights: 2 }, b: { rights: 1 } });
  expect(await new SPLockedJSONDB(fname).get()).toEqual(await db.get());
  expect(parsed()).toEqual(await db.get());
});

test('adding a key again sets its value', async () => {
  await db.add('a', 1);
  await db.add('a', 2);
  expect(await db.get()).toEqual({ a: 2 });
});

test('others may write meanwhile', async () => {
  await db.add('a', 1);
  await new SPLockedJSONDB(fname).add('b', 2);
  await db.add('c', 3);
  expect(parsed()).toEqual({ a: 1, b: 2, c: 3 });
});

test('concurrent changes are all kept', async () => {
  const other = new SPLockedJSONDB(fname);
  await Promise.all(Array.from({ length: 20 }, (_, at) => (at % 2 ? db : other).add(`k${at}`, at)));
  expect(Object.keys(parsed())).toHaveLength(20);
  await db.withLock(() => Promise.all([db.add('x', 1), db.add('y', 2), db.remove('k0')]));
  expect(Object.keys(parsed())).toHaveLength(21);
});

test('get() gives a copy', async () => {
  await db.add('a', { list: [1] });
  const data = (await db.get()) as Record<string, { list: number[] }>;
  data['a']?.list.push(2);
  data['b'] = { list: [] };
  expect(await db.get()).toEqual({ a: { list: [1] } });
});

test('a value that the caller changes after add() stays as it was added', async () => {
  const value = { rights: 1 };
  await db.add('a', value);
  value.rights = 2;
  expect(await db.get()).toEqual({ a: { rights: 1 } });
});

test('remove() and removeKeys() take away what is there, in one write', async () => {
  for (const key of ['a', 'b', 'c', 'd']) await db.add(key, 1);
  await db.remove('a');
  await db.removeKeys(new Set(['b', 'nowhere', 'c']));
  expect(parsed()).toEqual({ d: 1 });
});

test('removing what is not there writes nothing', async () => {
  await db.add('a', 1);
  const before = statSync(fname, { bigint: true }).mtimeNs;
  await db.remove('b');
  await db.removeKeys(['c', 'd']);
  await db.removeKeys([]);
  expect(statSync(fname, { bigint: true }).mtimeNs).toBe(before);
});

describe('keys', () => {
  test.each(['__proto__', 'constructor', 'toString', '', '1', 'ключ', 'a\0b', 'x'.repeat(10_000)])(
    'the key %j is one like any other',
    async (key) => {
      await db.add(key, { mine: true });
      const data = await db.get();
      expect(Object.keys(data)).toEqual([key]);
      expect(Object.getOwnPropertyDescriptor(data, key)?.value).toEqual({ mine: true });
      expect(({} as Record<string, unknown>)['mine']).toBeUndefined();
      await db.remove(key);
      expect(await db.get()).toEqual({});
    },
  );

  test('removing __proto__ where it is not does nothing', async () => {
    await db.add('a', 1);
    await db.remove('__proto__');
    expect(await db.get()).toEqual({ a: 1 });
  });
});

test.each([undefined, () => 1])('a value that JSON cannot hold (%s) is refused', async (value) => {
  await expect(db.add('a', value)).rejects.toThrow(/JSON cannot hold the value of a/);
  await expect(db.add('b', 10n)).rejects.toThrow(TypeError);
  expect(parsed()).toEqual({});
});

test.each([
  ['[]', 'a list'],
  ['"text"', 'text'],
  ['null', 'null'],
  ['7', '7'],
])('a file that holds %s is left as it is', async (content, what) => {
  writeFileSync(fname, content);
  const wrong = { code: 'ECORRUPT', message: expect.stringContaining(`holds ${what}, not a JSON object`) };
  await expect(db.get()).rejects.toMatchObject(wrong);
  await expect(db.add('a', 1)).rejects.toMatchObject(wrong);
  await expect(db.remove('a')).rejects.toMatchObject(wrong);
  expect(onDisk()).toBe(content);
  expect(readdirSync(path())).toEqual(['db.json']);
});

describe('too many levels', () => {
  const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

  test('that a toJSON() makes are refused, too', async () => {
    await expect(db.add('a', { toJSON: () => JSON.parse(nested(801)) })).rejects.toThrow(
      /^the value of a is nested/u,
    );
  });

  test.each([801, 100_000])('%d in a value are refused, and nothing is written', async (levels) => {
    await expect(db.add('a', JSON.parse(nested(levels)))).rejects.toThrow(/^the value of a is nested/u);
    await expect(db.jsdump(JSON.parse(nested(levels)))).rejects.toThrow(/^the content of .* is nested/u);
    expect(onDisk()).toBe('{}');
  });

  test('500 are taken', async () => {
    await db.add('a', JSON.parse(nested(500)));
    expect(onDisk()).toBe(`{"a":${nested(500)}}`);
  });
});

test('add() of more than a cache may hold is refused: it could not be read again', async () => {
  await expect(db.add('a', 'x'.repeat(2 ** 26))).rejects.toMatchObject({ code: 'EFBIG' });
  expect(parsed()).toEqual({});
});
