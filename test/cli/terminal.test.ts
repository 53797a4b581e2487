import { describe, expect, test } from 'vitest';
import { harmless, layOut, painter, shorten, wrap } from '../../src/cli/terminal.js';

describe('a table', () => {
  const heading = ['NAME', 'IDS', 'HAS'];
  const least = [6, 4];
  const row = ['0123456789abcdef', 'one, two, three', 'yes'];
  const lines = (width: number) => layOut([heading, row], width, least).map((cells) => cells.join('  '));

  test('is as wide as its content where there is room', () => {
    expect(lines(Number.POSITIVE_INFINITY)).toEqual([
      'NAME              IDS              HAS',
      '0123456789abcdef  one, two, three  yes',
    ]);
  });

  test('shrinks one column after the other', () => {
    expect(lines(36)).toEqual([
      'NAME              IDS            HAS',
      '0123456789abcdef  one, t… three  yes',
    ]);
    expect(lines(20)).toEqual(['NAME       IDS   HAS', '0123…cdef  on…e  yes']);
  });

  test('keeps every column readable, even where that does not fit', () => {
    expect(lines(5)).toEqual(['NAME    IDS   HAS', '012…ef  on…e  yes']);
  });

  test('has a heading without rows, too', () => {
    expect(layOut([heading], 80, least)).toEqual([['NAME', 'IDS', 'HAS']]);
  });
});

test('names are shortened in the middle', () => {
  expect(shorten('0123456789', 10)).toBe('0123456789');
  expect(shorten('0123456789', 5)).toBe('01…89');
  expect(shorten('0123456789', 1)).toBe('…');
  expect(shorten('ä😀ö', 2)).toBe('ä…');
});

test('sentences go on in an indented line', () => {
  expect(wrap('one two three', 8)).toBe('one two\nthree');
  expect(wrap('one two three', 9, 2)).toBe('one two\n  three');
  expect(wrap('/a/long/path is long', 8)).toBe('/a/long/path\nis long');
  expect(wrap('', 8)).toBe('');
});

test('what others wrote cannot speak to the terminal', () => {
  expect(harmless('os-\x1b[2Jvolume\n\x07\x9b')).toBe('os-�[2Jvolume���');
});

test('colours only where they are wanted', () => {
  expect(painter({ colour: true })('red', 'x')).toBe('\x1b[31mx\x1b[39m');
  expect(painter({ colour: false })('red', 'x')).toBe('x');
});
