import { describe, expect, test } from 'vitest';
import { parseStorPoolConf } from '../../src/config/storpool-conf.js';

const FILE = '/etc/storpool.conf';

function parse(text: string) {
  const { common, sections } = parseStorPoolConf(text, FILE);
  return {
    common: [...common],
    sections: [...sections].map(([name, settings]) => [name, [...settings]]),
  };
}

describe('continuations', () => {
  test.each<[string, string, [string, string][]]>([
    [
      'the next line is taken whole',
      'A=x\\\n  y  \nB=1\n',
      [
        ['A', 'x  y  '],
        ['B', '1'],
      ],
    ],
    [
      'whatever it looks like',
      'A=x\\\n[n]\nB=x\\\n# c\nC=x\\\nD=1\n',
      [
        ['A', 'x[n]'],
        ['B', 'x# c'],
        ['C', 'xD=1'],
      ],
    ],
    [
      'a blank line',
      'A=x\\\n\nB=1\n',
      [
        ['A', 'x'],
        ['B', '1'],
      ],
    ],
    ['several', 'A=x\\\ny\\\nz\n', [['A', 'xyz']]],
    ['from the start', 'A=\\\nx\n', [['A', 'x']]],
    ['blanks before the backslash are dropped', 'A=x \t\\\ny\n', [['A', 'xy']]],
    ['blanks before a later backslash are not', 'A=x\\\ny \\\nz\n', [['A', 'xy z']]],
    [
      'a blank behind the backslash makes it none',
      'A=x\\ \nB=y\\\t\n',
      [
        ['A', 'x\\'],
        ['B', 'y\\'],
      ],
    ],
    [
      'a blank behind a later backslash',
      'A=x\\\ny\\ \nB=1\n',
      [
        ['A', 'xy\\ '],
        ['B', '1'],
      ],
    ],
    [
      'a blank line with a blank',
      'A=x\\\n \nB=1\n',
      [
        ['A', 'x '],
        ['B', '1'],
      ],
    ],
    ['two backslashes are one and a continuation', 'A=x\\\\\ny\n', [['A', 'x\\y']]],
    ['a comment cannot be continued', '# x\\\nA=1\n', [['A', '1']]],
    ['a last line without an end', 'A=x\\\ny', [['A', 'xy']]],
  ])('%s', (_label, text, settings) => {
    expect(parse(text)).toEqual({ common: settings, sections: [] });
  });

  test.each([
    ['at the end', 'A=1\nB=x\\'],
    ['at the end, with a newline', 'A=1\nB=x\\\n'],
    ['with another newline', 'A=1\nB=x\\\r\n'],
    ['after other lines of it', 'A=1\nB=x\\\n[n]\\\ny\\\n'],
    ['without anything', 'A=1\nB=\\'],
    ['with blanks before the backslash', 'A=1\nB=x \t\\\n'],
    ['after the same setting', 'A=1\nA=2\\\n'],
  ])('a value that is never completed is dropped: %s', (_label, text) => {
    expect(parse(text)).toEqual({ common: [['A', '1']], sections: [] });
  });

  test('lines that look the same are continued one by one', () => {
    expect(parse('A=x \\\nA=x \\\nA=x \n').common).toEqual([['A', 'xA=x A=x ']]);
  });
});
