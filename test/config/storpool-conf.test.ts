import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseStorPoolConf } from '../../src/config/storpool-conf.js';
import { SPConfigError } from '../../src/index.js';

const FILE = '/etc/storpool.conf';

function parse(text: string) {
  const { common, sections } = parseStorPoolConf(text, FILE);
  return {
    common: [...common],
    sections: [...sections].map(([name, settings]) => [name, [...settings]]),
  };
}

function errorOf(text: string): SPConfigError {
  try {
    parseStorPoolConf(text, FILE);
  } catch (error) {
    if (error instanceof SPConfigError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('settings', () => {
  test.each<[string, string, [string, string][]]>([
    ['nothing', '', []],
    ['a blank file', '\n \t\n\r\n', []],
    ['blanks and comments', '\n# A=1\n  ; B=2\n\t#\n', []],
    ['a value', 'A=1', [['A', '1']]],
    ['blanks around', ' \t A \t = \t b  c \t \n', [['A', 'b  c']]],
    [
      'an empty value',
      'A=\nB =  \n',
      [
        ['A', ''],
        ['B', ''],
      ],
    ],
    ['an empty value at the end of the file', 'A=', [['A', '']]],
    [
      'the last one wins',
      'A=1\nB=2\nA=3\n',
      [
        ['A', '3'],
        ['B', '2'],
      ],
    ],
    [
      'names differ in case',
      'A=1\na=2\n',
      [
        ['A', '1'],
        ['a', '2'],
      ],
    ],
    [
      'an equals sign',
      'A=b=c\nB==\n',
      [
        ['A', 'b=c'],
        ['B', '='],
      ],
    ],
    [
      'what looks like a comment',
      'A=1 # x\nB=;\nC=#\n',
      [
        ['A', '1 # x'],
        ['B', ';'],
        ['C', '#'],
      ],
    ],
    [
      'what looks like a section',
      'A=[n]\nB = [\n',
      [
        ['A', '[n]'],
        ['B', '['],
      ],
    ],
    [
      'quotes',
      `A="x"\nB='y'\nC="\n'D'=1\n"E"=2\n`,
      [
        ['A', '"x"'],
        ['B', "'y'"],
        ['C', '"'],
        ["'D'", '1'],
        ['"E"', '2'],
      ],
    ],
    [
      'escapes',
      'A=\\n\\t\\\\x\nB=a\\;b\\#c\n',
      [
        ['A', '\\n\\t\\\\x'],
        ['B', 'a\\;b\\#c'],
      ],
    ],
    [
      'words',
      'A=true\nB=null\nC=false\ntrue=1\nnull=2\n',
      [
        ['A', 'true'],
        ['B', 'null'],
        ['C', 'false'],
        ['true', '1'],
        ['null', '2'],
      ],
    ],
    [
      'lists',
      'A[]=1\nA[]=2\n[]=3\nB[x]=4\n',
      [
        ['A[]', '2'],
        ['[]', '3'],
        ['B[x]', '4'],
      ],
    ],
    [
      'dots',
      'A.B=1\nA=2\nA.B.C=3\n.=4\n',
      [
        ['A.B', '1'],
        ['A', '2'],
        ['A.B.C', '3'],
        ['.', '4'],
      ],
    ],
    [
      'numbers keep their place',
      '2=b\n1=a\n',
      [
        ['2', 'b'],
        ['1', 'a'],
      ],
    ],
    [
      'percent signs',
      'A%20B=%41%zz%\n%=%\n',
      [
        ['A%20B', '%41%zz%'],
        ['%', '%'],
      ],
    ],
    [
      'sigils',
      ':A=:1\n@B=@2\n',
      [
        [':A', ':1'],
        ['@B', '@2'],
      ],
    ],
    ['other alphabets', 'ж=жълт 🟡\n', [['ж', 'жълт 🟡']]],
    [
      'names of every object',
      '__proto__=1\nconstructor=2\ntoString=3\nhasOwnProperty=4\n',
      [
        ['__proto__', '1'],
        ['constructor', '2'],
        ['toString', '3'],
        ['hasOwnProperty', '4'],
      ],
    ],
  ])('%s', (_label, text, settings) => {
    expect(parse(text)).toEqual({ common: settings, sections: [] });
  });

  test.each(['\n', '\r\n', '\r'])('lines end with %j', (end) => {
    expect(parse(['A=1', '', '[n]', 'B=2', '#', 'C=x\\', 'y', ''].join(end))).toEqual({
      common: [['A', '1']],
      sections: [
        [
          'n',
          [
            ['B', '2'],
            ['C', 'xy'],
          ],
        ],
      ],
    });
  });

  test('other separators of lines do not end one', () => {
    expect(parse('A=1\u2028B=2\u0085C=3\u000bD=4\n').common).toEqual([['A', '1\u2028B=2\u0085C=3\u000bD=4']]);
  });

  test('a very long value', () => {
    const value = `${'x"\\;'.repeat(250_000)}.`;
    expect(parse(`A=${value}\n`).common).toEqual([['A', value]]);
  });

  test('a hundred thousand blanks', () => {
    expect(errorOf(`A${' '.repeat(100_000)}B=1`).line).toBe(1);
    expect(parse(`A=1${' '.repeat(100_000)}x`).common[0]?.[1]).toHaveLength(100_002);
  });

  test('no object is polluted', () => {
    parse(
      '__proto__.polluted=1\n[__proto__]\npolluted=1\n[constructor]\nprototype=1\n[constructor.prototype]\npolluted=1\n',
    );
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});

describe('sections', () => {
  test.each<[string, string, string[]]>([
    ['names', '[a]\n[b-1]\n[c.example.com]\n', ['a', 'b-1', 'c.example.com']],
    ['blanks around the name and the brackets', '  [ \t a \t ]  \n', ['a']],
    ['blanks in it', '[a b]', ['a b']],
    ['nothing but blanks', '[ ]\n[\t \t]\n', ['']],
    ['nothing is nested', '[a]\n[a.b]\n[a.b.c]\n[.]\n[..]\n', ['a', 'a.b', 'a.b.c', '.', '..']],
    ['brackets', '[[a]\n[a[]\n', ['[a', 'a[']],
    [
      'quotes and escapes',
      `["a"]\n['b']\n[c\\.d]\n[e;f#g]\n[=]\n[a=b]\n`,
      ['"a"', "'b'", 'c\\.d', 'e;f#g', '=', 'a=b'],
    ],
    [
      'names of every object',
      '[__proto__]\n[constructor]\n[toString]\n',
      ['__proto__', 'constructor', 'toString'],
    ],
    ['numbers keep their place', '[2]\n[1]\n', ['2', '1']],
    ['percent signs and sigils', '[%41]\n[@]\n[:]\n', ['%41', '@', ':']],
    ['other alphabets', '[ж🟡]\n', ['ж🟡']],
    ['once and again', '[a]\n[b]\n[a]\n', ['a', 'b']],
  ])('%s', (_label, text, names) => {
    const { common, sections } = parse(text);
    expect(sections).toEqual(names.map((name) => [name, []]));
    expect(common).toEqual([]);
  });

  test('settings belong to the section before them', () => {
    expect(parse('A=0\n[n]\nA=1\n[m]\nA=2\n[n]\nB=3\nA=4\n')).toEqual({
      common: [['A', '0']],
      sections: [
        [
          'n',
          [
            ['A', '4'],
            ['B', '3'],
          ],
        ],
        ['m', [['A', '2']]],
      ],
    });
  });

  test('a section and a setting of the same name do not meet', () => {
    expect(parse('n=1\nn.A=2\n[n]\nA=3\nn=4\n')).toEqual({
      common: [
        ['n', '1'],
        ['n.A', '2'],
      ],
      sections: [
        [
          'n',
          [
            ['A', '3'],
            ['n', '4'],
          ],
        ],
      ],
    });
  });

  test('settings of a hostile section', () => {
    expect(parse('[__proto__]\n__proto__=1\nA[]=2\nB.C=3\n').sections).toEqual([
      [
        '__proto__',
        [
          ['__proto__', '1'],
          ['A[]', '2'],
          ['B.C', '3'],
        ],
      ],
    ]);
  });
});

describe('anything else is an error', () => {
  test.each([
    ['s3cr3t', 1],
    ['A=1\n\n# c\n  s3cr3t-token\nB=2\n', 4],
    ['A=1\r\ns3cr3t\r\n', 2],
    ['A=1\rs3cr3t\r', 2],
    ['A=x\\\ny\ns3cr3t\n', 3],
    ['SP AUTH TOKEN=s3cr3t', 1],
    ['=s3cr3t', 1],
    ['  = s3cr3t', 1],
    ['SP_AUTH_TOKEN: s3cr3t', 1],
    ['export SP_AUTH_TOKEN=s3cr3t', 1],
    ['[]', 1],
    ['[s3cr3t', 1],
    ['s3cr3t]', 1],
    ['[n] s3cr3t', 1],
    ['[n] # s3cr3t', 1],
    ['[a]b]', 1],
    ['[n]\nA=1\n[n] s3cr3t', 3],
    ['x [n]', 1],
    ['\\', 1],
    ['A\\\n=s3cr3t', 1],
    ['A=1\n\u0000s3cr3t\n', 2],
  ])('%j', (text, line) => {
    const error = errorOf(text);
    expect(error).toMatchObject({ name: 'SPConfigError', code: 'ECONFIG', file: FILE, line });
    expect(error.message).toBe(
      `${FILE}, line ${line}: expected a comment, a [section] or a "name = value" setting; correct or remove it`,
    );
    expect(inspect(error)).not.toContain('s3cr3t');
  });
});
