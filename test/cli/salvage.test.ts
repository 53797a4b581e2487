import { describe, expect, test } from 'vitest';
import { salvage } from '../../src/cli/salvage.js';
import { entry } from './host.js';

const content = {
  ...entry('a', 'os-ä'),
  ...entry('b', 'os-2', { more: { x: [1, '}"{'] } }),
  ...entry('c', 'os-3'),
};
const whole = Buffer.from(JSON.stringify(content, null, 1));
/** Where each entry ends. */
const ends = ['"b":', '"c":'].map((key) => whole.lastIndexOf('}', whole.indexOf(key)) + 1);
const wholeIn = (cut: number) => ['a', 'b', 'c'].slice(0, ends.filter((end) => end <= cut).length);
const found = (...parts: (Buffer | string)[]) =>
  salvage(Buffer.concat(parts.map((part) => Buffer.from(part))));
const keys = (...parts: (Buffer | string)[]) => [...found(...parts).entries.keys()];

describe('salvage() finds each whole entry, with its value', () => {
  test.each(['', '\0'.repeat(100), ',', ' \n{'])('before a cut at any byte, followed by %j', (after) => {
    for (let cut = 0; cut <= whole.length - 5; cut++) {
      const { entries } = found(whole.subarray(0, cut), after);
      expect([...entries.keys()]).toEqual(wholeIn(cut));
      for (const [key, value] of entries) expect(value).toEqual(content[key]);
    }
  });

  test('behind a cut at any byte of another content, and at any byte of its own', () => {
    const other = Buffer.from(JSON.stringify({ ...entry('d', 'os-4'), ...entry('e', 'os-5') }));
    const e = other.indexOf('"e"');
    for (let cut = 0; cut <= whole.length - 5; cut += 3) {
      for (let from = 0; from < other.length; from++) {
        const names = keys(whole.subarray(0, cut), other.subarray(from));
        expect(names).toEqual(expect.arrayContaining([...wholeIn(cut), ...(from <= e ? ['e'] : [])]));
      }
    }
  });

  test('of shorter content that was written over longer', () => {
    const shorter = Buffer.from(JSON.stringify(entry('a', 'os-new')));
    const { entries, older } = found(shorter, whole.subarray(shorter.length));
    expect([...entries.keys()]).toEqual(['a', 'b', 'c']);
    expect(entries.get('a')).toMatchObject({ volume: 'os-new' });
    expect(older).toEqual(new Map());
    const twice = found(shorter.subarray(0, -1), ',', whole.subarray(1));
    expect(twice.older.get('a')).toMatchObject({ volume: 'os-ä' });
  });

  test('with a comma too many, a byte order mark, or two in place of one', () => {
    expect(keys(whole.subarray(0, -2), ',}')).toEqual(['a', 'b', 'c']);
    expect(keys('\ufeff', whole)).toEqual(['a', 'b', 'c']);
    expect(keys(whole, JSON.stringify(entry('d', 'os-4')))).toEqual(['a', 'b', 'c', 'd']);
  });

  test('also an object that is no request, while nothing is broken before it', () => {
    const { entries, fragments } = found('{"a": {}, "b": {"c": 2}, "d": 1, "e": {"f": 3}');
    expect(entries).toEqual(
      new Map([
        ['a', {}],
        ['b', { c: 2 }],
      ] as [string, object][]),
    );
    expect(fragments).toEqual([{ at: 25, content: '"d": 1, "e": {"f": 3}' }]);
  });

  test('of 5,000', () => {
    const many = Object.assign({}, ...Array.from({ length: 5000 }, (_, at) => entry(`r${at}`, `os-${at}`)));
    const bytes = Buffer.from(JSON.stringify(many));
    expect(found(bytes.subarray(0, 60), bytes.subarray(0, -20)).entries.size).toBe(4999);
  });
});

test('salvage() takes no member of a half request for an entry', () => {
  const half = whole.subarray(whole.indexOf('"type"'), whole.indexOf('"c":'));
  expect(keys('{', half, JSON.stringify(entry('d', 'os-4')).slice(1))).toEqual(['b', 'd']);
  expect(keys('{"volume": "os-1", "rights": 2}}')).toEqual([]);
});

test('salvage() names an entry behind a broken place by its own id, because its key may be cut', () => {
  expect(keys('{"x": {"vol', '7f": {"volume": "os-1", "id": "cd7f"}}')).toEqual(['cd7f']);
});

test('salvage() shows what belongs to no entry, and where it is', () => {
  expect(found(whole.subarray(0, ends[0]), ',\n "b": {"volume": "os-2\0\0').fragments).toEqual([
    { at: (ends[0] ?? 0) + 3, content: '"b": {"volume": "os-2' },
  ]);
  expect(found('{}\0\0').fragments).toEqual([]);
  expect(found('').fragments).toEqual([]);
});

test('salvage() takes a request whole that holds what looks like another', () => {
  const outer = { r1: { volume: 'os-1', id: 'r1', x: { volume: 'os-2' } } };
  const { entries } = found(JSON.stringify(outer).slice(0, -1), ',"r2":{"v');
  expect(Object.fromEntries(entries)).toEqual(outer);
});
