import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseStorPoolConf } from '../../src/config/storpool-conf.js';
import { SPConfigError } from '../../src/index.js';
import { thrownBy } from '../api/failure.js';
import recorded from '../vectors/storpool-conf.json' with { type: 'json' };

const FILE = '/etc/storpool.conf';

/** The settings before any section under an empty name, as the reference keeps them. */
function parse(text: string) {
  const { common, sections } = parseStorPoolConf(text, FILE);
  return [['', [...common]], ...[...sections].map(([name, settings]) => [name, [...settings]])];
}

describe('parseStorPoolConf() answers as the reference', () => {
  test.each(recorded)('$name', ({ text, expect: expected, errorLine: line }) => {
    if (expected) return expect(parse(text)).toEqual(expected);
    const error = thrownBy(() => parse(text), SPConfigError);
    expect(error).toMatchObject({ name: 'SPConfigError', code: 'ECONFIG', file: FILE, line });
    expect(error.message).toBe(
      `${FILE}, line ${line}: expected a comment, a [section] or a "name = value" setting; correct or remove it`,
    );
    expect(inspect(error)).not.toContain('s3cr3t');
  });
});

describe('parseStorPoolConf()', () => {
  test('reads a very long value', () => {
    const value = `${'x"\\;'.repeat(250_000)}.`;
    expect(parse(`A=${value}\n`)).toEqual([['', [['A', value]]]]);
  });

  test('takes time in proportion to the blanks in a line', () => {
    const blanks = ' '.repeat(100_000);
    for (const wrong of [`A${blanks}B=1`, `${blanks}x`, `[a${blanks}b`, `[${blanks}`]) {
      expect(thrownBy(() => parse(wrong), SPConfigError).line).toBe(1);
    }
    expect(parse(`A=1${blanks}x\n[${blanks}n${blanks}]\n`)).toEqual([
      ['', [['A', `1${blanks}x`]]],
      ['n', []],
    ]);
  });

  test('pollutes no object', () => {
    parse(
      '__proto__.polluted=1\n[__proto__]\npolluted=1\n[constructor]\nprototype=1\n[constructor.prototype]\npolluted=1\n',
    );
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
