import { describe, expect, test } from 'vitest';
import { scanJson } from '../../../src/store/file/scan-json.js';

const samples = [
  '{}',
  '[]',
  '"text"',
  'null',
  '{"a":1}',
  ' {"k" : "v"}',
  '[[],[{}],{"":[]}]',
  '{"a": {"b": [1, -2.5e+10, true, false, null, "x\\n\\u12af\\""]}, "c": {}, "d": []}',
];
const isJson = (input: string) => {
  try {
    JSON.parse(input);
    return true;
  } catch {
    return false;
  }
};

describe.each(samples)('%s', (sample) => {
  test('is whole, and each beginning of it is torn', () => {
    expect(scanJson(sample).state).toBe('whole');
    for (let length = 0; length < sample.length; length++) {
      const beginning = sample.slice(0, length);
      expect(scanJson(beginning).state, beginning).toBe(isJson(beginning) ? 'whole' : 'torn');
    }
  });

  test('with another character in it is JSON for both or for none', () => {
    for (let at = 0; at < sample.length; at++) {
      for (const char of 'x},]:"0N{\\ \u0001') {
        const other = sample.slice(0, at) + char + sample.slice(at + 1);
        expect(scanJson(other).state === 'whole', other).toBe(isJson(other));
      }
    }
  });
});

test.each([
  ['{"a": NaN}', 6],
  ['{"a":1,}', 7],
  ['{"a":01}', 6],
  ['{"a":1}x', 7],
  ['{"a":-I', 5],
  ['{\0"\0', 1],
])('%j stops being JSON at %d', (input, at) => {
  expect(scanJson(input)).toMatchObject({ state: 'wrong', at });
});

test.each([
  ['{"a":{"b":1},"c":2', '{"a":{"b":1}'],
  ['{"a":12', ''],
  ['{"a":[1,2', ''],
  ['{"a":1,"b":"x","c', '{"a":1,"b":"x"'],
  ['[{"a":1},{"b"', ''],
])('the entries of %s that are certainly whole', (input, entries) => {
  expect(input.slice(0, scanJson(input).entriesEnd)).toBe(entries);
});
