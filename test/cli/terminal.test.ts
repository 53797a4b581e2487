import { describe, expect, test } from 'vitest';
import { age, harmless, paint, shellWord, table, wrap } from '../../src/cli/terminal.js';

describe('table()', () => {
  const rows = [
    ['NAME', 'HAS', 'VERDICT', 'IDS'],
    ['0123456789abcdef', 'rw', 'not attached', 'one, two, three'],
    ['x', '-', 'ok', ''],
  ];
  const lines = (columns: number) =>
    table({ columns, colour: false }, rows, [3, 2], () => undefined)
      .join('\n')
      .split('\n');

  test('is as wide as its content where there is room', () => {
    expect(lines(52)).toEqual([
      'NAME              HAS  VERDICT       IDS',
      '0123456789abcdef  rw   not attached  one, two, three',
      'x                 -    ok',
    ]);
  });

  test('puts one column after the other below its row, and cuts nothing', () => {
    const below = ['0123456789abcdef  rw   not attached', '    one, two, three', 'x                 -    ok'];
    expect(lines(51)).toEqual(['NAME              HAS  VERDICT', '    IDS', ...below]);
    const narrow = [
      '0123456789abcdef  rw',
      '    not attached',
      '    one, two, three',
      'x                 -',
      '    ok',
    ];
    expect(lines(20)).toEqual(['NAME              HAS', '    VERDICT  IDS', ...narrow]);
    expect(lines(5)[3]).toBe('0123456789abcdef  rw');
  });

  test('paints a cell below its row like the one that went there last', () => {
    const styleOf = (_row: number, column: number) => (column === 2 ? 'red' : undefined);
    const [line] = table({ columns: 1, colour: true }, rows.slice(2), [3, 2], styleOf);
    expect(line).toBe('x  -\n    \x1b[31mok\x1b[39m');
    expect(paint({ colour: false }, 'red', 'x')).toBe('x');
  });
});

test('wrap() goes on in an indented line, and breaks no word', () => {
  expect(wrap('one two three', 8)).toBe('one two\nthree');
  expect(wrap('one two three', 9, 2)).toBe('one two\n  three');
  expect(wrap('/a/long/path is long', 8)).toBe('/a/long/path\nis long');
});

test('harmless() keeps what others wrote from speaking to the terminal', () => {
  expect(harmless('os-\x1b[2Jvolume\n\x07\x9b')).toBe('os-�[2Jvolume���');
});

test('age() is what an operator says', () => {
  const ages = [-5, 12_345, 99_000, 180_000, 7_200_000, 400_000_000].map((ago) => age(Date.now() - ago));
  expect(ages).toEqual(['0 s', '12 s', '99 s', '3 min', '2 h', '5 d']);
});

test('shellWord() quotes what a shell would take apart', () => {
  const quoted = ['7f6c-1.a:b', 'a b', "it's", '$(x)', ''].map(shellWord);
  expect(quoted).toEqual(['7f6c-1.a:b', "'a b'", "'it'\\''s'", "'$(x)'", "''"]);
});
